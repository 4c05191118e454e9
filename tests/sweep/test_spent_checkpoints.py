"""What no later start needs is freed while the sweep goes on, and nothing else is."""

from pathlib import Path

from sweep.jobs import Job
from sweep.spent_checkpoints import SpentCheckpoints
from sweep.storage import Storage

TRIAL, FINALIST = Job("tera", "search", "layer1", 2), Job("tera", "final", "layer1", 1001)


def _with_checkpoints(folder: Path, *jobs: Job) -> Storage:
    storage = Storage(folder)
    for job in jobs:
        for step in (50, 100):
            storage.checkpoints().save(job.path, step, {"model.pt": b"weights"})
        storage.checkpoints().write_result(job.path, "estimates-valid.npz", b"sound")
    return storage


def _end(storage: Storage, *jobs: Job) -> None:
    spent = SpentCheckpoints(storage)
    for job in jobs:
        spent._free(job)
        spent.job_ended(job, "complete", 1.0, None, 0)  # once more, in the thread: nothing there is fine
    spent.close()


def test_an_ended_trial_keeps_nothing_and_its_neighbours_keep_all(tmp_path: Path) -> None:
    running = Job("tera", "search", "layer1", 20)
    storage = _with_checkpoints(tmp_path, TRIAL, running)
    _end(storage, TRIAL)
    assert storage.list(f"jobs/{TRIAL.path}") == []
    assert len(storage.list(f"jobs/{running.path}")) == 5


def test_an_ended_finalist_keeps_its_last_checkpoint_and_its_estimates(tmp_path: Path) -> None:
    storage = _with_checkpoints(tmp_path, FINALIST)
    _end(storage, FINALIST)
    assert storage.checkpoints().newest(FINALIST.path) == (100, {"model.pt": b"weights"})
    assert {path.split("/")[5] for path in storage.list(f"jobs/{FINALIST.path}")} == {
        "step-100",
        "estimates-valid.npz",
    }


def test_a_storage_that_fails_never_disturbs_the_sweep(tmp_path: Path) -> None:
    storage = _with_checkpoints(tmp_path, TRIAL)
    spent = SpentCheckpoints(storage)
    storage.delete_prefix = lambda _: (_ for _ in ()).throw(OSError("gone"))  # type: ignore[method-assign]
    spent.job_ended(TRIAL, "complete", 1.0, None, 0)
    spent.close()
    assert len(Storage(tmp_path).list(f"jobs/{TRIAL.path}")) == 5
