"""Deletes checkpoints that no later start of the sweep needs, while the sweep runs.

Checkpoints let a job continue after a crash. Once the study knows how a job ended, most of them are spent
(`sweep.stored.spent_files`): kept until the end of a sweep of hundreds of full-size jobs, they would fill the disk.
"""

from concurrent.futures import ThreadPoolExecutor

from sweep.core.jobs import Job
from sweep.core.listener import EndState, Event, JobEnded
from sweep.stored import layout
from sweep.stored.spent_files import delete_files, spent_files
from trainables.base.storage.storage import Storage


class SpentCheckpoints:
    """Deletes in a background thread; whatever fails or is still queued at `close` is deleted when the sweep ends."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spent checkpoints")

    def hear(self, event: Event) -> None:
        """Queue an ended job's checkpoints for deletion."""
        if isinstance(event, JobEnded):
            self._thread.submit(self._free, event.job, event.state)

    def close(self) -> None:
        """Finish the deletion under way and drop the rest."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _free(self, job: Job, state: EndState) -> None:
        """Exceptions stay in the discarded future."""
        paths = self._storage.list(f"{layout.JOBS}/{job.path}")
        delete_files(self._storage, spent_files(paths, lambda _: state), paths)
