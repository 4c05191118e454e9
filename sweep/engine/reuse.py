"""Jobs of earlier sweeps in place of training: found by key, replayed on the driver, and kept for later sweeps.

A job that is found never becomes a Ray trial. Its reports go through the dispatcher as if a worker had sent them, so
the median rule, the study and every listener see what they would have seen. What is not found, or is damaged, trains.
Rows of test are put in place only when the sweep itself opens test, after its leaders are named.
"""

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq

from sweep.core.jobs import Job
from sweep.core.listener import Event, JobEnded
from sweep.plan.job_key import job_key, libraries, noisy_key, rows_key
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.kept_jobs import KeptJobs, KeptReport, KeptReports
from sweep.storage.stage_store import kept_jobs
from sweep.stored.rows import has_rows, rows_file, to_parquet
from sweep.study.study import JobRecord, StudyStore
from trainables.base.storage.storage import Storage
from trainables.inference import NOISY
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import CheckpointConflict
from trainables.listening import LISTENING_FILE

_WEIGHTS = "weights"


class Reuse:
    """What a sweep takes from `kept`; `checkpoints` are its own. With `reads` false it only keeps.

    A sweep that has also run under other versions of the libraries keeps nothing: its jobs may be of either.
    """

    def __init__(self, plan: Plan, kept: KeptJobs, checkpoints: StoredCheckpoints, reads: bool = True) -> None:
        self._plan = plan
        self._kept = kept
        self._checkpoints = checkpoints
        self._reads = reads
        self._keeps = plan.libraries == libraries()
        self._noisy_asked: set[tuple[str, str]] = set()  # keys and names of rows that all finalists share

    @classmethod
    def of(cls, plan: Plan) -> "Reuse":
        """To look what there is, before the sweep begins."""
        return cls(plan, kept_jobs(plan.output), StoredCheckpoints(Storage(plan.output)))

    # -- taking ----------------------------------------------------------------------------------------

    def find(self, assignment: Assignment) -> KeptReports | None:
        """The job's reports, as far as they are kept; a finalist's only if it used its whole budget."""
        if not self._reads:
            return None
        found = self._kept.reports(self._key(assignment))
        if found is not None and assignment.phase == "final" and found.step < assignment.steps:
            return None
        return found

    def place(self, assignment: Assignment) -> bool:
        """Put a finalist's last checkpoint, and its rows of valid, into this sweep's storage; False if it must train.

        A search trial leaves nothing but its reports.
        """
        if assignment.phase != "final":
            return True
        files = self._kept.files(self._key(assignment), _WEIGHTS)
        if files is None:
            return False
        try:
            self._checkpoints.save(assignment.job, assignment.steps, files)
        except CheckpointConflict:  # it has ended here already, with other bits: those count
            return False
        self.place_rows([assignment], "valid")
        return True

    def could_place(self, assignment: Assignment) -> bool:
        """Whether `place` would most likely succeed, without reading the weights."""
        return assignment.phase != "final" or self._kept.holds(self._key(assignment), _WEIGHTS)

    def place_rows(self, assignments: Iterable[Assignment], split: str) -> None:
        """Put what is kept of these finalists' rows, and of the unprocessed input's, where scoring would store it."""
        if not self._reads:
            return
        for assignment in assignments:
            name = self._rows_name(assignment, split)
            self._place_rows(assignment, self._key(assignment), name, split)
            noisy = noisy_key(self._plan, assignment.data)
            if (noisy, name) not in self._noisy_asked:
                self._noisy_asked.add((noisy, name))
                self._place_rows(assignment, noisy, name, split, NOISY)

    def _place_rows(self, assignment: Assignment, key: str, name: str, split: str, job: str = "") -> None:
        job = job or assignment.job
        if has_rows(self._checkpoints, job, split):
            return
        files = self._kept.files(key, name)
        if files is None:
            return
        rows = files.pop(rows_file(split))
        for name, content in files.items():
            self._checkpoints.write_result(job, name, content)
        # Last: they mark the job as scored.
        self._checkpoints.write_result(job, rows_file(split), rows if job == NOISY else _renamed(rows, assignment))

    # -- keeping ---------------------------------------------------------------------------------------

    def keep(self, assignment: Assignment, record: JobRecord) -> None:
        """Keep an ended job: a search trial's reports, a complete finalist's checkpoint, too."""
        if not self._keeps:
            return
        key = self._key(assignment)
        if assignment.phase == "final":
            stored = self._checkpoints.newest(assignment.job)
            if record.state != "complete" or stored is None or stored[0] < assignment.steps:
                return
            self._kept.keep_files(key, _WEIGHTS, stored[1])
        if record.state in ("complete", "pruned") and record.reports:
            reports = tuple(KeptReport(each.step, each.score, each.metrics) for each in record.reports)
            self._kept.keep_reports(key, KeptReports(self._plan.name, record.job.path, reports))

    def keep_rows(self, assignments: Sequence[Assignment], split: str) -> None:
        """Keep the rows of these finalists and of the unprocessed input; of test, what there is to listen to, too."""
        if not self._keeps:
            return
        for assignment in assignments:
            self._keep_rows(assignment.job, self._key(assignment), assignment, split)
        if assignments:
            self._keep_rows(NOISY, noisy_key(self._plan, assignments[0].data), assignments[0], split)

    def _keep_rows(self, job: str, key: str, assignment: Assignment, split: str) -> None:
        names = [rows_file(split), *([LISTENING_FILE] if split == "test" else [])]
        if all(self._checkpoints.has_result(job, name) for name in names):
            files = {name: self._checkpoints.read_result(job, name) for name in names}
            self._kept.keep_files(key, self._rows_name(assignment, split), files)

    def _key(self, assignment: Assignment) -> str:
        return job_key(assignment, self._plan.code)

    def _rows_name(self, assignment: Assignment, split: str) -> str:
        return f"rows-{split}-{rows_key(self._plan, assignment.data, split)}"


class Keeping:
    """A listener that keeps jobs as they end, in a background thread; what it misses `keep_all` keeps at the end."""

    def __init__(self, plan: Plan, store: StudyStore, reuse: Reuse) -> None:
        self._plan = plan
        self._store = store
        self._reuse = reuse
        self._kept: set[Job] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kept jobs")

    def hear(self, event: Event) -> None:
        """Queue an ended job that was trained here."""
        if isinstance(event, JobEnded) and event.state != "failed":
            record = self._store.record(event.job)
            if record is not None and record.reused_from is None:
                self._thread.submit(self._keep, record)

    def keep_all(self, finalists: Sequence[Job]) -> None:
        """Keep every job of the study, and the rows of these finalists."""
        self.close()
        for record in self._store.all_records(self._plan):
            trained_here = record.state in ("complete", "pruned") and record.reused_from is None
            if trained_here and record.job not in self._kept:
                self._keep(record)
        scored = [each for job in finalists if (each := self._store.record(job)) is not None]
        for split in ("valid", "test"):
            self._reuse.keep_rows([self._assignment(each) for each in scored], split)

    def close(self) -> None:
        """Finish what is under way and drop the rest."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _keep(self, record: JobRecord) -> None:
        """In the thread, exceptions stay in the discarded future: `keep_all` tries again."""
        self._reuse.keep(self._assignment(record), record)
        self._kept.add(record.job)

    def _assignment(self, record: JobRecord) -> Assignment:
        return self._plan.assignment(record.job, record.nuisance, attempt=1)


def _renamed(rows: bytes, assignment: Assignment) -> bytes:
    """The rows as this sweep's own job: the sweep that scored them may have had other names."""
    group, phase, candidate, _ = assignment.job.split("/")
    identity = {"group": group, "candidate": candidate, "phase": phase, "seed": assignment.seed, "job": assignment.job}
    return to_parquet([{**row, **identity} for row in pq.read_table(io.BytesIO(rows)).to_pylist()])
