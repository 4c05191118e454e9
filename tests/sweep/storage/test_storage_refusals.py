"""A sweep's load on an S3 server that refuses every tenth request: every artifact arrives, whole and encrypted."""

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from sweep.core.jobs import Job
from sweep.storage.checkpoints import StoredCheckpoints
from tests.support.servers.refusing_s3 import RefusingApplication, refusing_s3
from trainables.base.errors import UserError
from trainables.base.storage import bucket
from trainables.base.storage.bucket import ENCRYPTION_VARIABLE, encryption_arguments
from trainables.base.storage.storage import Storage

WORKERS, ROUNDS, PART = 4, 3, 5 * 2**20
JOBS = [Job(group, "final", label, seed) for group in "ab" for label in ("none", "layer1") for seed in (1, 2, 3)]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingApplication]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with refusing_s3() as (address, application):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv(ENCRYPTION_VARIABLE, "AES256")
        monkeypatch.setattr(bucket, "_MULTIPART_BYTES", PART)
        boto3.client("s3").create_bucket(Bucket="sweeps")
        yield application


def content(name: str, size: int) -> bytes:
    return (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def files_of(job: Job, step: int) -> dict[str, bytes]:
    """The last checkpoint of the first job is large enough to travel in parts."""
    size = 2 * PART + 7 if (job, step) == (JOBS[0], ROUNDS) else 20_000
    return {"model.pt": content(f"{job.path} {step}", size), "progress.json": b"{}"}


def train(job: Job) -> None:
    """What a worker does to storage; each has a client of its own, as a process would."""
    checkpoints = StoredCheckpoints(Storage("s3://sweeps/night"))
    for step in range(1, ROUNDS + 1):
        assert (checkpoints.newest(job.path) or (0,))[0] == step - 1
        checkpoints.save(job.path, step, files_of(job, step))
        checkpoints.prune(job.path, keep=2)
    checkpoints.write_result(job.path, "rows-test.parquet", content(job.path, 5_000))


def test_every_artifact_is_there_and_whole(refusing: RefusingApplication) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(train, JOBS))
    storage = Storage("s3://sweeps/night")
    for number in range(10):
        storage.write(f"report/{number}.png", content(str(number), 50_000))
    checkpoints = StoredCheckpoints(storage)
    for job in JOBS:
        assert checkpoints.newest(job.path) == (ROUNDS, files_of(job, ROUNDS))
        assert checkpoints.read_result(job.path, "rows-test.parquet") == content(job.path, 5_000)
        checkpoints.prune(job.path, keep=1)
    for number in range(10):
        assert storage.read(f"report/{number}.png") == content(str(number), 50_000)
    assert len(storage.list()) == len(JOBS) * (3 + 1) + 10  # model, progress and manifest; rows; report
    assert sum(refusing.refused.values()) > 50
    assert set(refusing.refused) >= {"GET", "PUT"}


def test_what_is_written_is_encrypted_at_rest(refusing: RefusingApplication, tmp_path: Path) -> None:
    storage = Storage("s3://sweeps/night")
    storage.write("small", b"content")
    storage.write("large", content("large", 2 * PART))
    (tmp_path / "shard").write_bytes(content("shard", 2 * PART))
    storage.upload(tmp_path / "shard", "shard")
    for name in ("small", "large", "shard"):
        head = boto3.client("s3").head_object(Bucket="sweeps", Key=f"night/{name}")
        assert head["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize(
    ("wanted", "arguments"),
    [
        ("", {}),
        ("AES256", {"ServerSideEncryption": "AES256"}),
        ("aws:kms", {"ServerSideEncryption": "aws:kms"}),
        ("aws:kms:alias/mine", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/mine"}),
    ],
)
def test_the_ways_to_encrypt(wanted: str, arguments: dict[str, str]) -> None:
    assert encryption_arguments(wanted) == arguments


def test_another_way_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="SPEECH_SWEEP_S3_ENCRYPTION='rot13': give AES256"):
        encryption_arguments("rot13")
