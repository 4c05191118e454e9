"""Storage: one suite, run over a folder and over a real S3 server."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from trainables.base.errors import UserError
from trainables.base.storage import bucket, folder
from trainables.base.storage.storage import InputStorage, Storage


def test_what_is_written_is_read(storage: Storage) -> None:
    storage.write("a/b/file", b"first")
    storage.write("a/b/file", b"second")
    assert storage.read("a/b/file") == b"second"
    assert storage.exists("a/b/file")


def test_an_absent_file_is_said_to_be_absent(storage: Storage) -> None:
    assert not storage.exists("nothing/here")
    with pytest.raises(FileNotFoundError):
        storage.read("nothing/here")


def test_a_folder_is_not_a_file(storage: Storage) -> None:
    storage.write("a/b", b"")
    assert not storage.exists("a")


def test_list_gives_a_folder_not_its_namesakes(storage: Storage) -> None:
    for path in ("step-1/b", "step-1/a", "step-1/deep/c", "step-10/a"):
        storage.write(path, b"")
    assert storage.list("step-1") == ["step-1/a", "step-1/b", "step-1/deep/c"]
    assert storage.list("step-1/") == storage.list("step-1")
    assert len(storage.list()) == 4
    assert storage.list("elsewhere") == []


def test_delete_prefix_deletes_a_folder_not_its_namesakes(storage: Storage) -> None:
    for path in ("step-1/a", "step-1/deep/b", "step-10/a"):
        storage.write(path, b"")
    storage.delete_prefix("step-1")
    storage.delete_prefix("step-1")
    assert storage.list() == ["step-10/a"]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../outside", "a/../../b", "a//b", "./a"])
def test_no_path_leaves_the_storage(storage: Storage, path: str) -> None:
    with pytest.raises(ValueError, match="inside the storage"):
        storage.write(path, b"")


def test_a_storage_pickles_as_its_address(storage: Storage) -> None:
    storage.write("file", b"content")
    pickled = pickle.dumps(storage)
    assert len(pickled) < 300
    assert pickle.loads(pickled).read("file") == b"content"


def test_the_probe_leaves_nothing_behind(storage: Storage) -> None:
    storage.probe()
    assert storage.list() == []


def test_only_a_folder_has_free_space(storage: Storage) -> None:
    if storage.is_remote:
        assert storage.free_bytes() is None
    else:
        free = storage.free_bytes()
        assert free is not None
        assert free > 0


def test_many_writers_of_one_file_leave_one_whole_content(storage: Storage) -> None:
    contents = [bytes([number]) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: storage.write("file", content), contents))
    assert storage.read("file") in contents
    assert storage.list() == ["file"]


def test_of_many_who_create_one_file_one_does(storage: Storage) -> None:
    contents = [bytes([number]) * 50_000 for number in range(8)]

    def create(content: bytes) -> bool:
        try:
            storage.create("a/file", content)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, contents))
    assert [content for content, done in zip(contents, created, strict=True) if done] == [storage.read("a/file")]
    assert storage.list() == ["a/file"]


def test_files_move_in_and_out(storage: Storage, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    storage.upload(source, "a/copied")
    storage.download("a/copied", target)
    assert target.read_bytes() == source.read_bytes() == b"content"
    storage.move_in(source, "a/moved")
    assert not source.exists()
    assert storage.sizes("a") == {"a/copied": 7, "a/moved": 7}
    assert (storage.size("a/moved"), storage.size("a"), storage.size("b")) == (7, None, None)
    storage.delete("a/moved")
    storage.delete("a/moved")
    assert storage.list() == ["a/copied"]
    with pytest.raises(FileNotFoundError):
        storage.download("a/moved", tmp_path / "absent")
    assert {path.name for path in tmp_path.iterdir()} <= {"target", "sweep"}


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    storage.write("file", b"old")

    def power_cut(*_: Any) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(folder.os, "replace", power_cut)
    with pytest.raises(OSError, match="power cut"):
        storage.write("file", b"new")
    assert storage.read("file") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_large_objects_travel_in_parts(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_MULTIPART_BYTES", 5 * 2**20)
    storage = Storage(f"{s3_bucket}/large")
    content = bytes(12 * 2**20 + 7)
    storage.write("file", content)
    assert storage.read("file") == content


def test_large_files_travel_in_parts(s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bucket, "_MULTIPART_BYTES", 5 * 2**20)
    storage = Storage(f"{s3_bucket}/large")
    (tmp_path / "file").write_bytes(bytes(12 * 2**20 + 7))
    storage.upload(tmp_path / "file", "file")
    storage.download("file", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()


def test_a_missing_bucket_is_a_clear_error(s3_bucket: str) -> None:
    with pytest.raises(UserError, match="cannot write to s3://no-such-bucket"):
        Storage("s3://no-such-bucket/prefix").probe()


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="choose a writable folder"):
        Storage(tmp_path / "file").probe()


@pytest.mark.parametrize("uri", ["gs://bucket/prefix", "http://host", "s3://", "s3:///prefix", "s3:/bucket"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(UserError, match="cannot use"):
        Storage(uri)


def test_folders_are_those_directly_below(storage: Storage) -> None:
    storage.write("first/plan.json", b"{}")
    storage.write("second/deep/file", b"")
    storage.write("file", b"")
    assert storage.folders() == ("first", "second")
    assert Storage(f"{storage.uri}/nowhere").folders() == ()


def test_input_storage_reports_every_failure_but_absence_as_a_user_error(s3_bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    nowhere = InputStorage("s3://no-such-bucket/prefix")
    for access in (
        lambda: nowhere.upload(tmp_path / "file", "file"),
        lambda: nowhere.write("file", b""),
        lambda: nowhere.list(),
        lambda: InputStorage(tmp_path).size("n" * 300),
    ):
        with pytest.raises(UserError, match="cannot look into"):
            access()
    with pytest.raises(FileNotFoundError):
        InputStorage(s3_bucket).read("file")
