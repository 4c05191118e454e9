"""A real S3 server (moto) that knows no checksum but Content-MD5, as many servers other than AWS."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


class OldApplication:
    """WSGI: refuses newer checksums, bodies in signed chunks, and deletions without Content-MD5."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self.refused: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        deletes = environ["REQUEST_METHOD"] == "POST" and environ["QUERY_STRING"] == "delete"
        checksums = [name for name in environ if "CHECKSUM" in name and environ["REQUEST_METHOD"] != "GET"]
        chunked = "aws-chunked" in environ.get("HTTP_CONTENT_ENCODING", "")
        if not (chunked or checksums or (deletes and "HTTP_CONTENT_MD5" not in environ)):
            return self._application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.refused.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        start_response("400 Bad Request", [("Content-Type", "application/xml")])
        return [b"<Error><Code>MissingContentMD5</Code><Message>Content-MD5 is missing</Message></Error>"]


@contextmanager
def old_s3() -> Iterator[tuple[str, OldApplication]]:
    """Yields the server's address and what it has refused."""
    application = OldApplication(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}", application
    finally:
        server.shutdown()
        thread.join()
