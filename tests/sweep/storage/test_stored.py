"""Checkpoints and artifacts: one suite, run over a folder and over a real S3 server."""

import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.job.checkpoints import CheckpointConflict

FILES = {"model.pt": bytes(range(256)), "reports.json": b"[]"}


def test_the_newest_checkpoint_is_the_largest_step(storage: Storage) -> None:
    checkpoints = StoredCheckpoints(storage)
    assert checkpoints.newest("tera/search/none/0001") is None
    for step in (9, 10):
        checkpoints.save("tera/search/none/0001", step, {**FILES, "step": b"%d" % step})
    assert checkpoints.newest("tera/search/none/0001") == (10, {**FILES, "step": b"10"})
    assert checkpoints.newest("tera/search/none/000") is None
    assert "jobs/tera/search/none/0001/step-10/manifest.json" in storage.list()


def test_a_checkpoint_without_its_manifest_is_not_there_yet(storage: Storage) -> None:
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, FILES)
    storage.write("jobs/job/step-2/model.pt", b"half of it")
    assert checkpoints.newest("job") == (1, FILES)
    checkpoints.save("job", 2, FILES)
    assert checkpoints.newest("job") == (2, FILES)


def test_a_checkpoint_is_immutable(storage: Storage) -> None:
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, FILES)
    checkpoints.save("job", 1, FILES)
    with pytest.raises(CheckpointConflict, match="step-1"):
        checkpoints.save("job", 1, {**FILES, "model.pt": b"other"})
    assert checkpoints.newest("job") == (1, FILES)


def test_a_torn_checkpoint_may_be_saved_anew(storage: Storage) -> None:
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("job", 1, {**FILES, "more": b"left over"})
    storage.write("jobs/job/step-1/model.pt", b"torn")
    assert checkpoints.newest("job") is None
    checkpoints.save("job", 1, FILES)
    assert checkpoints.newest("job") == (1, FILES)


def test_prune_keeps_the_newest_complete_ones_and_the_results(storage: Storage) -> None:
    checkpoints = StoredCheckpoints(storage)
    for step in (1, 2, 3):
        checkpoints.save("job", step, FILES)
    checkpoints.write_result("job", "estimates-valid.arrow", b"audio")
    storage.write("jobs/job/step-4/model.pt", b"another attempt is writing this")
    checkpoints.prune("job", keep=2)
    steps = {path.split("/")[2] for path in storage.list("jobs/job")}
    assert steps == {"step-2", "step-3", "step-4", "estimates-valid.arrow"}
    assert checkpoints.read_result("job", "estimates-valid.arrow") == b"audio"


def test_one_job_never_prunes_another(storage: Storage) -> None:
    checkpoints = StoredCheckpoints(storage)
    checkpoints.save("group/1", 5, FILES)
    for step in (6, 7, 8):
        checkpoints.save("group/10", step, FILES)
    checkpoints.prune("group/10", keep=1)
    assert checkpoints.newest("group/1") == (5, FILES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_any_file_of_a_checkpoint_is_detected(tmp_path: Path, data: st.DataObject) -> None:
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


def test_an_artifact_is_read_as_written(storage: Storage) -> None:
    artifacts = StoredArtifacts(storage)
    assert not artifacts.has("pretraining-0123")
    with pytest.raises(FileNotFoundError):
        artifacts.read("pretraining-0123")
    artifacts.write("pretraining-0123", b"weights")
    assert artifacts.has("pretraining-0123")
    assert pickle.loads(pickle.dumps(artifacts)).read("pretraining-0123") == b"weights"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_artifact_is_never_used(tmp_path: Path, data: st.DataObject) -> None:
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
