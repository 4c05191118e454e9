"""What no later start needs is freed while the sweep goes on, and nothing else is."""

from pathlib import Path

import pytest

from sweep.core.jobs import Job
from sweep.core.listener import JobEnded
from sweep.engine.spent_checkpoints import SpentCheckpoints
from sweep.storage.checkpoints import StoredCheckpoints
from trainables.base.storage.storage import Storage

TRIAL, FINALIST = Job("tera", "search", "layer1", 2), Job("tera", "final", "layer1", 1001)


def _with_checkpoints(folder: Path, *jobs: Job) -> Storage:
    storage = Storage(folder)
    for job in jobs:
        for step in (50, 100):
            StoredCheckpoints(storage).save(job.path, step, {"model.pt": b"weights"})
        StoredCheckpoints(storage).write_result(job.path, "estimates-valid.arrow", b"sound")
    return storage


def _end(spent: SpentCheckpoints, *jobs: Job) -> None:
    for job in jobs:
        spent.hear(JobEnded(job, 0, "complete", 1.0))
    spent._thread.submit(lambda: None).result()  # after all that was asked of it before
    spent.close()


def test_an_ended_trial_keeps_nothing_and_its_neighbours_keep_all(tmp_path: Path) -> None:
    running = Job("tera", "search", "layer1", 20)
    storage = _with_checkpoints(tmp_path, TRIAL, running)
    _end(SpentCheckpoints(storage), TRIAL)
    assert storage.list(f"jobs/{TRIAL.path}") == []
    assert len(storage.list(f"jobs/{running.path}")) == 5


def test_an_ended_finalist_keeps_its_last_checkpoint_and_its_estimates(tmp_path: Path) -> None:
    storage = _with_checkpoints(tmp_path, FINALIST)
    _end(SpentCheckpoints(storage), FINALIST)
    assert StoredCheckpoints(storage).newest(FINALIST.path) == (100, {"model.pt": b"weights"})
    assert {path.split("/")[5] for path in storage.list(f"jobs/{FINALIST.path}")} == {
        "step-100",
        "estimates-valid.arrow",
    }


def test_a_failed_finalist_keeps_nothing(tmp_path: Path) -> None:
    storage = _with_checkpoints(tmp_path, FINALIST)
    spent = SpentCheckpoints(storage)
    spent.hear(JobEnded(FINALIST, 0, "failed", reason="it diverged"))
    spent._thread.submit(lambda: None).result()
    spent.close()
    assert storage.list("jobs") == []


def test_a_storage_that_fails_once_disturbs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left then goes at the sweep's end."""
    other = Job("tera", "search", "layer2", 3)
    storage = _with_checkpoints(tmp_path, TRIAL, other)
    delete = storage.delete_prefix

    def refused_for_the_first(prefix: str) -> None:
        if prefix.endswith(TRIAL.path):
            raise OSError("gone")
        delete(prefix)

    monkeypatch.setattr(storage, "delete_prefix", refused_for_the_first)
    _end(SpentCheckpoints(storage), TRIAL, other)
    assert len(storage.list(f"jobs/{TRIAL.path}")) == 5
    assert storage.list(f"jobs/{other.path}") == []
