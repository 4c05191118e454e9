"""What a sweep keeps of its jobs: one suite, run over a folder and over a real S3 server."""

from sweep.core.jobs import Job
from sweep.core.listener import EndState
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.spent_files import delete_files, spent_files
from tests.support.servers.s3 import s3_bucket, s3_server, storage
from trainables.base.storage.storage import Storage

__all__ = ["s3_bucket", "s3_server", "storage"]

FINALIST, FAILED, RUNNING = (Job("tera", "final", label, 1001) for label in ("layer1", "layer2", "none"))
TRIAL = Job("tera", "search", "layer1", 2)
ENDS: dict[Job, EndState] = {FINALIST: "complete", FAILED: "failed", TRIAL: "pruned"}
SCORED = ("rows-valid.parquet", "rows-test.parquet", "listening.arrow")


def fill(storage: Storage, *results: str) -> None:
    """Two checkpoints of every job, half of a third one, and these files next to them."""
    for job in (FINALIST, FAILED, RUNNING, TRIAL):
        checkpoints = StoredCheckpoints(storage)
        for step in (2, 4):
            checkpoints.save(job.path, step, {"model.pt": b"weights"})
        storage.write(f"jobs/{job.path}/step-6/model.pt", b"half")
        for name in results:
            checkpoints.write_result(job.path, name, name.encode())


def swept(storage: Storage) -> dict[Job, set[str]]:
    """What each job has left."""
    paths = storage.list("jobs")
    delete_files(storage, spent_files(paths, ENDS.get), paths)
    return {
        job: {path.removeprefix(f"jobs/{job.path}/") for path in storage.list(f"jobs/{job.path}")}
        for job in (FINALIST, FAILED, RUNNING, TRIAL)
    }


def test_a_scored_finalist_keeps_weights_rows_and_clips(storage: Storage) -> None:
    fill(storage, "estimates-valid.arrow", *SCORED)
    storage.write("jobs/noisy/listening.arrow", b"clips")
    left = swept(storage)
    assert left[FINALIST] == {"step-4/model.pt", "step-4/manifest.json", *SCORED}
    assert left[FAILED] == left[TRIAL] == set()
    assert len(left[RUNNING]) == 9  # it goes on from there
    assert storage.read("jobs/noisy/listening.arrow") == b"clips"
    assert StoredCheckpoints(storage).newest(FINALIST.path) == (4, {"model.pt": b"weights"})


def test_estimates_that_are_not_scored_stay(storage: Storage) -> None:
    fill(storage, "estimates-valid.arrow")
    assert swept(storage)[FINALIST] == {"step-4/model.pt", "step-4/manifest.json", "estimates-valid.arrow"}


def test_a_second_time_there_is_nothing_to_do(storage: Storage) -> None:
    fill(storage, *SCORED)
    swept(storage)
    assert spent_files(storage.list("jobs"), ENDS.get) == []
