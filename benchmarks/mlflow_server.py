"""A real `mlflow server` on a loopback port, for tests that kill it or look at its pages."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchmarks.ports import free_port


class MlflowServer:
    """Keeps its port and its files over `kill` and `start`. `artifacts` may be an s3:// address."""

    def __init__(self, folder: Path, artifacts: str | None = None) -> None:
        self.folder = folder
        self._artifacts = artifacts or str(folder / "artifacts")
        self._process: subprocess.Popen[bytes] | None = None
        self._choose_port()

    def _choose_port(self) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers; the first start chooses another port where its own was taken meanwhile."""
        self.begin()
        wait_until(lambda: self._answers() or self._has_ended())
        if self._has_ended():
            self._choose_port()
            self.begin()
            self.wait()

    def begin(self) -> None:
        """Returns at once: it takes seconds to answer."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--workers", "1"]
        command += ["--artifacts-destination", self._artifacts]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            )

    def wait(self) -> None:
        wait_until(self._answers)

    def kill(self) -> None:
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
        except OSError:
            return False
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    """Long: a busy machine takes minutes for what a quiet one does in seconds."""
    for _ in range(12_000):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited ten minutes in vain")
