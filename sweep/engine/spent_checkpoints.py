"""Frees, beside the work, the checkpoints that no later start of a sweep needs.

A checkpoint serves a job that goes on after a kill. Once the study knows how a job ended, a search trial's serve
nobody, and of a finalist's only the last is read again: kept until the end of a sweep of hundreds of full-size
jobs, they would fill a disk.
"""

from concurrent.futures import ThreadPoolExecutor

from sweep.core.jobs import Job
from sweep.core.listener import Listener
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.storage import Storage
from sweep.stored import layout


class SpentCheckpoints(Listener):
    """Deletes in a thread of its own. What fails there, or is left when it closes, is deleted at the sweep's end."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spent checkpoints")

    def job_ended(
        self, job: Job, state: str, score: float | None, reason: str | None, timestamp_ms: int
    ) -> None:
        self._thread.submit(self._free, job)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _free(self, job: Job) -> None:
        """What it raises stays in a future that nobody asks."""
        if job.phase == "search":
            self._storage.delete_prefix(f"{layout.JOBS}/{job.path}")
        else:
            StoredCheckpoints(self._storage).prune(job.path, keep=1)
