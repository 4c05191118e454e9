"""A real S3 server (moto) that refuses every tenth request, as a busy endpoint does."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

_REFUSALS = (("503 Slow Down", "SlowDown"), ("500 Internal Server Error", "InternalError"))


class RefusingApplication:
    """WSGI: every `every`-th request gets S3's own error instead of an answer, whatever it asked."""

    def __init__(self, application: Callable[..., Iterable[bytes]], every: int) -> None:
        self._application = application
        self._every = every
        self._number = itertools.count(1)
        self.refused: Counter[str] = Counter()  # by HTTP method

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        number = next(self._number)
        if number % self._every:
            return self._application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = _REFUSALS[number // self._every % len(_REFUSALS)]
        self.refused[environ["REQUEST_METHOD"]] += 1
        start_response(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>try again</Message></Error>".encode()]


@contextmanager
def refusing_s3(every: int = 10) -> Iterator[tuple[str, RefusingApplication]]:
    """Yields the server's address and what it has refused."""
    application = RefusingApplication(DomainDispatcherApplication(create_backend_app), every)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}", application
    finally:
        server.shutdown()
        thread.join()
