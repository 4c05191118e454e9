"""A group's finalists in the order in which they are handed out: seed by seed, and under looks, look by look."""

from collections import deque
from collections.abc import Collection
from typing import Protocol

from sweep.core.jobs import Job
from sweep.engine.announcer import Announcer
from sweep.plan.plan import Plan
from sweep.study.study import StudyStore


class Judge(Protocol):
    """Says who is still in contention; `sweep.engine.interim_looks.Looks` is the one."""

    def staying(self, group: str, seeds: int) -> Collection[str] | None:
        """Who gets seeds beyond the first `seeds`, which have all ended; None while that is not known."""


class FinalistQueue:
    """The finalists that were never handed out.

    A look's seeds enter the queue when all finalists of the seeds before have ended and the judge has spoken;
    of candidates that have left contention they are announced as waived.
    """

    def __init__(
        self, plan: Plan, group: str, store: StudyStore, announce: Announcer, judge: Judge | None
    ) -> None:
        self._plan = plan
        self._group = group
        self._store = store
        self._announce = announce
        self._judge = judge
        self._left: deque[Job] = deque()
        self._opened = 0  # seeds that have entered the queue

    @property
    def exhausted(self) -> bool:
        return not self._left and self._opened == len(self._plan.seeds)

    @property
    def jobs_left(self) -> int:
        """Those in the queue, and every candidate's of the seeds that have not entered it."""
        unopened = len(self._plan.seeds) - self._opened
        return len(self._left) + unopened * len(self._plan.group_plan(self._group).candidates)

    def next_job(self, running: Collection[Job]) -> Job | None:
        """None if there is none, or not before those `running` have ended or valid is scored."""
        while not self._left and not self.exhausted:
            staying = self._staying(running)
            if staying is None:
                return None
            self._open_next_look(staying)
        return self._left.popleft() if self._left else None

    def _staying(self, running: Collection[Job]) -> Collection[str] | None:
        if not self._opened:
            return [candidate.label for candidate in self._plan.group_plan(self._group).candidates]
        before = self._plan.seeds[: self._opened]
        if self._judge is None or any(job.number in before for job in running):
            return None
        return self._judge.staying(self._group, self._opened)

    def _open_next_look(self, staying: Collection[str]) -> None:
        ends = self._plan.look_ends if staying else (len(self._plan.seeds),)
        end = next(end for end in ends if end > self._opened)
        seeds = self._plan.seeds[self._opened : end]
        jobs = [job for job in self._plan.final_jobs(self._group) if job.number in seeds]
        self._left.extend(job for job in jobs if job.candidate in staying and self._store.record(job) is None)
        self._announce.jobs_waived([job for job in jobs if job.candidate not in staying])
        self._opened = end
