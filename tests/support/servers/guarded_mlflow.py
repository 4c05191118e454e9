"""MLflow's own server in this process, behind a door that asks for credentials, and over TLS if wanted."""

import base64
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

USER, PASSWORD, TOKEN = "me", "pass word/@:%", "t0ken"


class Door:
    """WSGI: 401 for every request without the user's password or the token."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._accepted = (f"Basic {basic}", f"Bearer {TOKEN}")
        self.refused = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") in self._accepted:
            return self._application(environ, start_response)
        self.refused += 1
        start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="mlflow"')])
        return [b"who are you?"]


@contextmanager
def guarded_mlflow(folder: Path, tls: bool = False) -> Iterator[tuple[str, Door]]:
    """Yields its address without credentials, and the door; runs are kept in `folder`/mlflow.db."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{folder}/mlflow.db")
        patched.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder / "artifacts"))
        from mlflow.server import app, handlers

        patched.setattr(handlers, "_tracking_store", None)
        door = Door(app)
        server = make_server("127.0.0.1", 0, door, threaded=True, ssl_context="adhoc" if tls else None)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.port}", door
        finally:
            server.shutdown()
            thread.join()
