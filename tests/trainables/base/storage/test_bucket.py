"""S3 as it is in the field: keys with any characters, servers other than AWS, addresses from AWS's own files."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from sweep.storage.checkpoints import StoredCheckpoints
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.servers.old_s3 import OldApplication, old_s3
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import shared_copy
from trainables.base.errors import UserError
from trainables.base.storage.storage import InputStorage, Storage

HOSTILE = [
    "a b",
    " a",
    "ä",
    "日本",
    "a#b",
    "a?b=c",
    "a%20b",
    "a%b",
    "a+b",
    "a..b",
    "a//b",
    "a&b=c;d",
    "a'\"b",
    "a\\b",
    "~a",
]
JOB = "tera/final/none/seed-1001"


def keys(bucket: str) -> set[str]:
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket.removeprefix("s3://"))
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


@pytest.mark.parametrize("prefix", HOSTILE)
def test_a_key_is_its_address_to_the_character(s3_bucket: str, tmp_path: Path, prefix: str) -> None:
    storage = Storage(f"{s3_bucket}/{prefix}/")
    boto3.client("s3").put_object(Bucket=s3_bucket.removeprefix("s3://"), Key=f"{prefix}x/other", Body=b"")
    storage.probe()
    name = f"jobs/{prefix.replace('//', '/')}/file {prefix.replace('/', '')}"
    storage.write(name, b"content")
    assert keys(s3_bucket) == {f"{prefix}x/other", f"{prefix}/{name}"}
    assert storage.list() == [name]
    assert storage.folders() == ("jobs",)
    assert storage.size(name) == 7
    storage.download(name, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == storage.read(name) == b"content"
    storage.delete_prefix("jobs")
    assert keys(s3_bucket) == {f"{prefix}x/other"}

    checkpoints = StoredCheckpoints(storage)
    checkpoints.save(JOB, 10, {"weights": b"1"})
    checkpoints.save(JOB, 20, {"weights": b"2"})
    checkpoints.prune(JOB, keep=1)
    assert checkpoints.newest(JOB) == (20, {"weights": b"2"})
    folder = f"{prefix}/jobs/{JOB}/step-20"
    assert keys(s3_bucket) == {f"{prefix}x/other", f"{folder}/weights", f"{folder}/manifest.json"}


@pytest.mark.parametrize("prefix", ["a b#1?x=2", "ä%20+"])
def test_a_corpus_lies_below_any_prefix(s3_bucket: str, tmp_path: Path, prefix: str) -> None:
    local = make_tiny_corpus(tmp_path / "corpus")
    shared_copy(local, f"{s3_bucket}/{prefix}")
    corpus = Corpus.open(f"{s3_bucket}/{prefix}/{local.fingerprint}")
    assert corpus.uri == f"{s3_bucket}/{prefix}/{local.fingerprint}"
    assert {key.rpartition("/")[0] for key in keys(s3_bucket)} == {f"{prefix}/{local.fingerprint}"}
    ours, theirs = corpus.speech("valid"), local.speech("valid")
    assert [ours.audio(row).tobytes() for row in range(len(ours))] == [
        theirs.audio(row).tobytes() for row in range(len(theirs))
    ]


def test_more_objects_than_one_answer_lists(s3_bucket: str) -> None:
    server = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]  # the server runs in this process
    for number in range(1003):
        server.put_object(s3_bucket.removeprefix("s3://"), f"a/many/{number:04d}", b"")
    storage = Storage(f"{s3_bucket}/a")
    storage.write("manyfold/1", b"")
    assert len(storage.list("many")) == 1003
    storage.delete_prefix("many")
    assert storage.list() == ["manyfold/1"]


def test_the_empty_folders_of_a_console_are_no_files(s3_bucket: str) -> None:
    for key in ("a/", "a/jobs/", "a/jobs/file"):
        boto3.client("s3").put_object(Bucket=s3_bucket.removeprefix("s3://"), Key=key, Body=b"")
    storage = Storage(f"{s3_bucket}/a")
    assert storage.list() == ["jobs/file"]
    storage.delete_prefix("jobs")
    assert keys(s3_bucket) == {"a/"}


def test_a_probe_that_cannot_be_read_back_is_deleted(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(f"{s3_bucket}/a")
    monkeypatch.setattr(storage._backend, "read", lambda path: (_ for _ in ()).throw(PermissionError("no")))
    with pytest.raises(UserError, match="cannot write to"):
        storage.probe()
    assert keys(s3_bucket) == set()


# -- whose server, and what it knows ----------------------------------------------------------------------


@pytest.fixture
def old_server(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OldApplication]:
    with old_s3() as (address, application):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        boto3.client("s3").create_bucket(Bucket="old")
        yield application


def test_a_server_without_new_checksums_can_be_used(old_server: OldApplication, tmp_path: Path) -> None:
    storage = Storage("s3://old/a")
    for name in ("jobs/1", "jobs/2"):
        storage.write(name, b"content")
    (tmp_path / "large").write_bytes(bytes(70 * 2**20))  # more than one part
    storage.upload(tmp_path / "large", "jobs/large")
    assert storage.sizes("jobs") == {"jobs/1": 7, "jobs/2": 7, "jobs/large": 70 * 2**20}
    assert storage.read("jobs/2") == b"content"
    storage.probe()
    storage.delete_prefix("jobs")
    assert storage.list() == []
    assert old_server.refused == []


def test_checksums_that_the_user_asks_for_are_sent(old_server: OldApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    with pytest.raises(UserError, match="MissingContentMD5"):
        Storage("s3://old/a").probe()
    assert old_server.refused[0].startswith("PUT /old/a/probe-")


@pytest.mark.parametrize(
    "profile",
    ["endpoint_url = {server}\n", "services = lab\n[services lab]\ns3 =\n  endpoint_url = {server}\n"],
)
def test_the_server_may_stand_in_a_profile_of_aws(
    s3_bucket: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    (tmp_path / "config").write_text(f"[profile lab]\nregion = us-east-1\n{profile.format(server=s3_server)}")
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = test\naws_secret_access_key = test\n")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # keeps the credentials it was made with
    Storage(f"{s3_bucket}/a").write("file", b"content")
    assert Storage(f"{s3_bucket}/a").read("file") == b"content"


def test_the_variable_for_s3_alone_counts_more(s3_bucket: str, monkeypatch: pytest.MonkeyPatch, s3_server: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server)
    Storage(f"{s3_bucket}/a").probe()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_PROFILE", "nobody"), ("AWS_ENDPOINT_URL", "127.0.0.1:9000"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")],
)
def test_settings_that_lead_nowhere_are_a_line(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    with pytest.raises(UserError, match="AWS_ENDPOINT_URL") as refused:
        InputStorage(f"{s3_bucket}/a").size("file")
    assert "\n" not in str(refused.value)
