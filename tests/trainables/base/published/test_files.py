"""Where a checkpoint's files come from: the hub's own cache, S3 once per node, or in place."""

import socket
from pathlib import Path

import boto3
import pytest
from huggingface_hub import constants

from trainables.base.errors import UserError
from trainables.base.published.files import local_files, require_reachable

REVISION = "0123456789abcdef0123456789abcdef01234567"


def put(bucket: str, name: str, content: bytes) -> None:
    boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key=name, Body=content)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def cached(folder: Path, repository: str, files: dict[str, bytes]) -> Path:
    """A repository as `hf download` leaves it in the cache, at `REVISION`."""
    home = folder / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / REVISION
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(REVISION)
    for name, content in files.items():
        path = snapshot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return snapshot


def test_a_path_is_used_in_place(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert local_files(str(tmp_path / "model")) == tmp_path / "model"


def test_a_path_that_this_machine_lacks_names_the_machine(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no checkpoint at {tmp_path}/model on machine {socket.gethostname()}"):
        local_files(str(tmp_path / "model"))


@pytest.mark.parametrize("source", ["s3://bucket/absent/model.ckpt", "s3://bucket/absent"])
def test_a_plan_asks_s3_whether_the_weights_are_there(s3_bucket: str, source: str) -> None:
    source = source.replace("s3://bucket", s3_bucket)
    with pytest.raises(UserError, match=r"there is no (model\.ckpt|config\.json)"):
        require_reachable(source)
    for name in ("absent/model.ckpt", "absent/config.json", "absent/pytorch_model.bin"):
        boto3.client("s3").put_object(Bucket=s3_bucket.removeprefix("s3://"), Key=name, Body=b"x")
    require_reachable(source)


@pytest.mark.parametrize("suffix", ["", f"@{REVISION}"])
def test_a_model_in_the_hubs_cache_needs_no_network(hub_cache: Path, suffix: str) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"weights"}
    snapshot = cached(hub_cache, "some/wav2vec2-like", files)
    assert local_files(f"some/wav2vec2-like{suffix}") == snapshot


def test_one_file_of_a_hub_repository(hub_cache: Path) -> None:
    snapshot = cached(hub_cache, "s3prl/tera", {"folder/states.ckpt": b"weights"})
    assert local_files("s3prl/tera:folder/states.ckpt") == snapshot / "folder" / "states.ckpt"


def test_what_is_not_cached_says_what_to_fetch_and_where_to_put_it(hub_cache: Path) -> None:
    with pytest.raises(UserError, match=r"hf download some/model.*HF_HOME.*--set checkpoint=/path"):
        local_files("some/model")


def test_a_folder_on_s3_is_copied_once(s3_bucket: str) -> None:
    put(s3_bucket, "models/base/config.json", b"{}")
    put(s3_bucket, "models/base/pytorch_model.bin", b"weights")
    folder = local_files(f"{s3_bucket}/models/base")
    assert {path.name for path in folder.iterdir()} == {".lock", "config.json", "pytorch_model.bin"}
    changed = (folder / "pytorch_model.bin").stat().st_mtime_ns
    assert local_files(f"{s3_bucket}/models/base") == folder
    assert (folder / "pytorch_model.bin").stat().st_mtime_ns == changed


def test_one_file_on_s3(s3_bucket: str) -> None:
    put(s3_bucket, "tera/states.ckpt", b"weights")
    assert local_files(f"{s3_bucket}/tera/states.ckpt").read_bytes() == b"weights"


def test_what_is_not_on_s3_is_named(s3_bucket: str) -> None:
    with pytest.raises(UserError, match=r"models: there is no config\.json"):
        local_files(f"{s3_bucket}/models")
