"""Storage, checkpoints and artifacts: one suite, run over a folder and over a real S3 server."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from sweep.storage import storage as storage_module
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.storage import Storage
from trainables.base.errors import UserError
from trainables.job.checkpoints import CheckpointConflict

FILES = {"model.pt": bytes(range(256)), "reports.json": b"[]"}


@pytest.fixture(scope="module")
def s3_bucket():
    """An S3 server on the loopback; yields the address of an empty bucket."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="sweeps")
        yield "s3://sweeps"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path):
    if request.param == "folder":
        return Storage(tmp_path / "sweep")
    return Storage(f"{request.getfixturevalue('s3_bucket')}/{tmp_path.name}")


def test_what_is_written_is_read(storage):
    storage.write("a/b/file", b"first")
    storage.write("a/b/file", b"second")
    assert storage.read("a/b/file") == b"second"
    assert storage.exists("a/b/file")


def test_an_absent_file_is_said_to_be_absent(storage):
    assert not storage.exists("nothing/here")
    with pytest.raises(FileNotFoundError):
        storage.read("nothing/here")


def test_a_folder_is_not_a_file(storage):
    storage.write("a/b", b"")
    assert not storage.exists("a")


def test_list_gives_a_folder_not_its_namesakes(storage):
    for path in ("step-1/b", "step-1/a", "step-1/deep/c", "step-10/a"):
        storage.write(path, b"")
    assert storage.list("step-1") == ["step-1/a", "step-1/b", "step-1/deep/c"]
    assert storage.list("step-1/") == storage.list("step-1")
    assert len(storage.list()) == 4
    assert storage.list("elsewhere") == []


def test_delete_prefix_deletes_a_folder_not_its_namesakes(storage):
    for path in ("step-1/a", "step-1/deep/b", "step-10/a"):
        storage.write(path, b"")
    storage.delete_prefix("step-1")
    storage.delete_prefix("step-1")
    assert storage.list() == ["step-10/a"]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../outside", "a/../../b", "a//b", "./a"])
def test_no_path_leaves_the_storage(storage, path):
    with pytest.raises(ValueError, match="inside the storage"):
        storage.write(path, b"")


def test_a_storage_pickles_as_its_address(storage):
    storage.write("file", b"content")
    pickled = pickle.dumps(storage)
    assert len(pickled) < 300
    assert pickle.loads(pickled).read("file") == b"content"


def test_the_probe_leaves_nothing_behind(storage):
    storage.probe()
    assert storage.list() == []


def test_only_a_folder_has_free_space(storage):
    if storage.is_remote:
        assert storage.free_bytes() is None
    else:
        assert storage.free_bytes() > 0


def test_many_writers_of_one_file_leave_one_whole_content(storage):
    contents = [bytes([number]) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: storage.write("file", content), contents))
    assert storage.read("file") in contents
    assert storage.list() == ["file"]


def test_a_failed_write_leaves_the_old_content(tmp_path, monkeypatch):
    storage = Storage(tmp_path)
    storage.write("file", b"old")

    def power_cut(*_):
        raise OSError("power cut")

    monkeypatch.setattr(storage_module.os, "replace", power_cut)
    with pytest.raises(OSError, match="power cut"):
        storage.write("file", b"new")
    assert storage.read("file") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_large_objects_travel_in_parts(s3_bucket, monkeypatch):
    monkeypatch.setattr(storage_module, "_MULTIPART_BYTES", 5 * 2**20)
    storage = Storage(f"{s3_bucket}/large")
    content = bytes(12 * 2**20 + 7)
    storage.write("file", content)
    assert storage.read("file") == content


def test_a_missing_bucket_is_a_clear_error(s3_bucket):
    with pytest.raises(UserError, match="cannot write to s3://no-such-bucket"):
        Storage("s3://no-such-bucket/prefix").probe()


def test_an_unwritable_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="choose a writable folder"):
        Storage(tmp_path / "file").probe()


@pytest.mark.parametrize("uri", ["gs://bucket/prefix", "http://host", "s3://", "s3:///prefix", "s3:/bucket"])
def test_other_addresses_are_refused(uri):
    with pytest.raises(UserError, match="cannot store at"):
        Storage(uri)


def test_the_newest_checkpoint_is_the_largest_step(storage):
    checkpoints = StoredCheckpoints(storage)
    assert checkpoints.newest("tera/search/none/0001") is None
    for step in (9, 10):
        checkpoints.save("tera/search/none/0001", step, {**FILES, "step": b"%d" % step})
    assert checkpoints.newest("tera/search/none/0001") == (10, {**FILES, "step": b"10"})
    assert checkpoints.newest("tera/search/none/000") is None
    assert "jobs/tera/search/none/0001/step-10/manifest.json" in storage.list()


def test_a_checkpoint_without_its_manifest_is_not_there_yet(storage):
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, FILES)
    storage.write("jobs/job/step-2/model.pt", b"half of it")
    assert checkpoints.newest("job") == (1, FILES)
    checkpoints.save("job", 2, FILES)
    assert checkpoints.newest("job") == (2, FILES)


def test_a_checkpoint_is_immutable(storage):
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, FILES)
    checkpoints.save("job", 1, FILES)
    with pytest.raises(CheckpointConflict, match="step-1"):
        checkpoints.save("job", 1, {**FILES, "model.pt": b"other"})
    assert checkpoints.newest("job") == (1, FILES)


def test_a_torn_checkpoint_may_be_saved_anew(storage):
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, {**FILES, "more": b"left over"})
    storage.write("jobs/job/step-1/model.pt", b"torn")
    assert checkpoints.newest("job") is None
    checkpoints.save("job", 1, FILES)
    assert checkpoints.newest("job") == (1, FILES)


def test_prune_keeps_the_newest_complete_ones_and_the_results(storage):
    checkpoints = StoredCheckpoints(storage)
    for step in (1, 2, 3):
        checkpoints.save("job", step, FILES)
    checkpoints.write_result("job", "estimates-valid.arrow", b"audio")
    storage.write("jobs/job/step-4/model.pt", b"another attempt is writing this")
    checkpoints.prune("job", keep=2)
    steps = {path.split("/")[2] for path in storage.list("jobs/job")}
    assert steps == {"step-2", "step-3", "step-4", "estimates-valid.arrow"}
    assert checkpoints.read_result("job", "estimates-valid.arrow") == b"audio"


def test_one_job_never_prunes_another(storage):
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("group/1", 5, FILES)
    for step in (6, 7, 8):
        checkpoints.save("group/10", step, FILES)
    checkpoints.prune("group/10", keep=1)
    assert checkpoints.newest("group/1") == (5, FILES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_any_file_of_a_checkpoint_is_detected(tmp_path, data):
    storage = Storage(tmp_path)
    storage.delete_prefix("jobs")
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, FILES)
    checkpoints.save("job", 2, FILES)
    path = data.draw(st.sampled_from(storage.list("jobs/job/step-2")))
    content = bytearray(storage.read(path))
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    storage.write(path, bytes(content))
    assert checkpoints.newest("job") == (1, FILES)


def test_an_artifact_is_read_as_written(storage):
    artifacts = StoredArtifacts(storage)
    assert not artifacts.has("pretraining-0123")
    with pytest.raises(FileNotFoundError):
        artifacts.read("pretraining-0123")
    artifacts.write("pretraining-0123", b"weights")
    assert artifacts.has("pretraining-0123")
    assert pickle.loads(pickle.dumps(artifacts)).read("pretraining-0123") == b"weights"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_artifact_is_never_used(tmp_path, data):
    storage = Storage(tmp_path)
    artifacts = StoredArtifacts(storage)
    artifacts.write("key", b"some weights")
    content = bytearray(storage.read("stages/key"))
    if data.draw(st.booleans(), label="cut"):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    storage.write("stages/key", bytes(content))
    assert not artifacts.has("key")
    with pytest.raises(UserError, match="damaged"):
        artifacts.read("key")


def test_folders_are_those_directly_below(storage):
    storage.write("first/plan.json", b"{}")
    storage.write("second/deep/file", b"")
    storage.write("file", b"")
    assert storage.folders() == ("first", "second")
    assert Storage(f"{storage.uri}/nowhere").folders() == ()
