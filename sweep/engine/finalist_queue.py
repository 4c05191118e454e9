"""The order of a group's finalists: seed by seed, and with interim looks one look at a time."""

from collections import deque
from collections.abc import Collection
from typing import Protocol

from sweep.core.jobs import Job
from sweep.core.listener import Announcer, JobsWaived
from sweep.plan.plan import Plan
from sweep.study.study import StudyStore


class Contention(Protocol):
    """Decides which candidates stay in contention; implemented by `sweep.engine.interim_looks.InterimLooks`."""

    def staying(self, group: str, seeds: int) -> Collection[str] | None:
        """The candidates that get seeds beyond the first `seeds`, which have all ended; None while undecided."""

    def until(self, group: str, seeds: int) -> int:
        """The number of seeds after which it is decided next; those that stay are trained up to it."""

    def given(self, group: str) -> int:
        """The number of seeds that the group is sure to get, as far as it is decided."""

    def is_decided(self, group: str, seeds: int) -> bool:
        """Whether it is known who gets seeds beyond the first `seeds`."""


class FinalistQueue:
    """The finalists not handed out yet.

    The seeds up to the next decision enter the queue once all finalists of earlier seeds have ended and `contention`
    has decided who stays. Jobs of candidates that have left contention are announced as waived.
    """

    def __init__(
        self, plan: Plan, group: str, store: StudyStore, announcer: Announcer, contention: Contention | None
    ) -> None:
        self._plan = plan
        self._group = group
        self._store = store
        self._announcer = announcer
        self._contention = contention
        self._queue: deque[Job] = deque()
        self._opened = 0  # number of seeds that have entered the queue

    @property
    def exhausted(self) -> bool:
        return not self._queue and self._opened == len(self._plan.seeds)

    @property
    def jobs_left(self) -> int:
        """Jobs in the queue, plus every candidate's jobs for seeds that have not entered it."""
        unopened = len(self._plan.seeds) - self._opened
        return len(self._queue) + unopened * len(self._plan.group_plan(self._group).candidates)

    def next_job(self, running: Collection[Job]) -> Job | None:
        """None if there is none, or none until the `running` finalists have ended and are scored on valid."""
        while not self._queue and not self.exhausted:
            staying = self._staying(running)
            if staying is None:
                return None
            self._open_next_look(staying)
        return self._queue.popleft() if self._queue else None

    def _staying(self, running: Collection[Job]) -> Collection[str] | None:
        if not self._opened:
            return [candidate.label for candidate in self._plan.group_plan(self._group).candidates]
        before = self._plan.seeds[: self._opened]
        if self._contention is None or any(job.number in before for job in running):
            return None
        return self._contention.staying(self._group, self._opened)

    def _next_end(self) -> int:
        if not self._opened or self._contention is None:
            return self._plan.first_seeds
        return self._contention.until(self._group, self._opened)

    def _open_next_look(self, staying: Collection[str]) -> None:
        end = self._next_end() if staying else len(self._plan.seeds)
        seeds = self._plan.seeds[self._opened : end]
        jobs = [job for job in self._plan.final_jobs(self._group) if job.number in seeds]
        self._queue.extend(job for job in jobs if job.candidate in staying and self._store.record(job) is None)
        self._announcer.announce(JobsWaived(tuple(job for job in jobs if job.candidate not in staying)))
        self._opened = end
