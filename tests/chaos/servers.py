"""The servers a sweep depends on, as child processes that can be killed and started again with their data."""

import contextlib
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import psutil

from benchmarks.mlflow_server import MlflowServer, wait_until
from benchmarks.ports import free_port, listens
from benchmarks.postgres_server import PostgresServer
from tests.support import REPOSITORY

BUCKET = "sweeps"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Server(Protocol):
    def start(self) -> None:
        """Returns once it answers."""

    def begin(self) -> None:
        """Start it again, and do not wait for what takes long."""

    def kill(self) -> None: ...


class S3Server:
    """moto behind a gateway. moto keeps everything in memory, so it is the gateway that dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server_port = self._port = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._gateway: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Known once it has started."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}"}

    def start(self) -> None:
        self._server_port, self._server = self._listening("moto.server", "-H", "127.0.0.1", "-p", "{}")
        self._port, self._gateway = self._listening("tests.chaos.gateway", "{}", str(self._server_port))

    def begin(self) -> None:
        self._gateway = self._child("tests.chaos.gateway", str(self._port), str(self._server_port))
        wait_until(lambda: listens(self._port))

    def _listening(self, module: str, *arguments: str) -> tuple[int, subprocess.Popen[bytes]]:
        """A child at a port of its own, which takes the place of {}; another program may take the one chosen first."""
        while True:
            port = free_port()
            child = self._child(module, *(argument.format(port) for argument in arguments))
            wait_until(partial(_has_settled, child, port))
            if child.poll() is None:
                return port, child

    def kill(self) -> None:
        _kill(self._gateway)

    def close(self) -> None:
        _kill(self._gateway)
        _kill(self._server)

    def _child(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "s3.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=REPOSITORY, stdout=log, stderr=log)


class Servers:
    """Everything a sweep on a cluster depends on: `with Servers(folder) as servers:`."""

    def __init__(self, folder: Path) -> None:
        for name in ("mlflow", "s3"):
            (folder / name).mkdir()
        self.mlflow, self.s3, self.database = (
            MlflowServer(folder / "mlflow"),
            S3Server(folder / "s3"),
            PostgresServer(folder),
        )

    def __enter__(self) -> "Servers":
        with contextlib.ExitStack() as started:  # ended again should a later one not start
            self.s3.start()
            started.callback(self.s3.close)
            self.database.start()
            started.callback(self.database.close)
            self.mlflow.start()
            started.callback(self.mlflow.kill)
            create_bucket(self.s3)
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._started.close()

    @property
    def environment(self) -> dict[str, str]:
        """For a driver that is to use them."""
        return {
            **self.s3.environment,
            "MLFLOW_TRACKING_URI": self.mlflow.uri,
            "SPEECH_SWEEP_STUDY_URI": self.database.uri,
            "SPEECH_SWEEP_OUTPUT": f"s3://{BUCKET}",
        }


def create_bucket(server: S3Server) -> None:
    import boto3

    session = boto3.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
    )
    session.client("s3", endpoint_url=server.environment["AWS_ENDPOINT_URL"]).create_bucket(Bucket=BUCKET)


def _has_settled(child: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it listens at this port itself, or has ended."""
    if child.poll() is not None:
        return True
    try:
        return any(c.laddr.port == port for c in psutil.Process(child.pid).net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.send_signal(signal.SIGKILL)
        process.wait()
