"""Sends finalists to the scoring pool, as they complete and at the end, and collects their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweep.core.jobs import Job
from sweep.core.listener import Event, JobEnded
from sweep.core.stopping import StopSignal
from sweep.engine.scoring import ScoringFailed, ScoringPool
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.rows import Rows, collect_rows
from sweep.study.study import StudyStore
from trainables.inference import NOISY
from trainables.job.assignment import Assignment


@dataclass
class FinalistScoring:
    """A listener that has every finalist scored on valid while other jobs train."""

    plan: Plan
    store: StudyStore
    checkpoints: StoredCheckpoints
    pool: ScoringPool
    stop: StopSignal

    def hear(self, event: Event) -> None:
        """Submit a finalist that completed."""
        if isinstance(event, JobEnded) and event.job.phase == "final" and event.state == "complete":
            self.submit([event.job], "valid")

    def submit(self, jobs: Sequence[Job], split: str) -> None:
        """Queue these finalists and the noisy input."""
        for job in jobs:
            self.pool.submit(self._assignment(job), split)
        if jobs:
            self.pool.submit_noisy(self._assignment(jobs[0]), split)

    def score(self, jobs: Sequence[Job], split: str) -> Rows:
        """Wait until these are scored. Raises `ScoringFailed`, and `Interrupted` if the sweep is to stop."""
        self.submit(jobs, split)
        self.pool.wait(self.stop)
        return self._rows(jobs, split)

    def valid_rows(self, group: str) -> Rows | None:
        """The validation rows of the group's ended finalists; None while they are being scored. Never waits."""
        jobs = [record.job for record in self.store.records(group, "final") if record.state == "complete"]
        if not jobs:
            return []
        try:
            scored = self.pool.has_scored([NOISY, *(job.path for job in jobs)], "valid")
        except ScoringFailed as error:
            self.stop.ask(str(error), ScoringFailed)
            return None
        return self._rows(jobs, "valid") if scored else None

    def _rows(self, jobs: Sequence[Job], split: str) -> Rows:
        return collect_rows(self.checkpoints, [NOISY, *(job.path for job in jobs)], split)

    def _assignment(self, job: Job) -> Assignment:
        record = self.store.record(job)
        nuisance: dict[str, Any] = record.nuisance if record else {}
        return self.plan.assignment(job, nuisance, attempt=1)
