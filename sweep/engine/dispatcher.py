"""Which job comes next, and what becomes of it: the logic of a sweep, without Ray.

The study is the only state that matters. A new dispatcher on an old study first hands out what an earlier
driver left running; then the group with most work left comes first, with search trials as its generations
allow, and with its finalists as soon as its search has ended. Every decision is a function of the study and
the plan, and under `--seeds auto` of looks that are written down.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sweep.core.jobs import Job
from sweep.core.listener import EndState
from sweep.core.stopping import StopSignal, TooManyFailures
from sweep.engine.announcer import Announcer
from sweep.engine.failures import Failures
from sweep.engine.finalist_queue import Judge
from sweep.engine.group_queue import NOTHING_TO_FINALISE, GroupQueue
from sweep.plan.cost import job_seconds
from sweep.plan.plan import Plan
from sweep.search.median_rule import should_stop
from sweep.study.study import JobRecord, Proposal, StudyStore


@dataclass(frozen=True)
class Handout:
    """A job to run now, with its `Assignment` as JSON."""

    job: Job
    attempt: int
    assignment: dict[str, Any]


class Pause(Enum):
    """Why there is no job to hand out."""

    WAIT = "what is running or being scored decides what comes next"
    DONE = "every job has ended"


class Dispatcher:
    """Hands out the jobs of a plan and records what is reported of them.

    `stop` is asked where most jobs fail in one way; `clock` (s) times the pauses between attempts; `judge` is
    needed where the plan has looks.
    """

    def __init__(
        self,
        plan: Plan,
        store: StudyStore,
        announcer: Announcer,
        stop: StopSignal | None = None,
        clock: Callable[[], float] = time.monotonic,
        judge: Judge | None = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._announce = announcer
        self._groups = [GroupQueue(plan, group, store, announcer, judge) for group in plan.groups]
        self._prices = {queue.name: _price(plan, queue.name) for queue in self._groups}
        self._running: set[Job] = set()
        self._stop = stop or StopSignal()
        self._clock = clock
        self._again: dict[Job, float] = {}  # job -> the time before which it is not handed out again
        self._failures = Failures()
        for record in self._left_running():
            self._take_over(record)

    # -- handing out -----------------------------------------------------------------------------------

    def next(self) -> Handout | Pause:
        """The next job; `WAIT` until there is one; `DONE` when all have ended."""
        again = next((job for job, at in self._again.items() if at <= self._clock()), None)
        if again is not None:
            del self._again[again]
            return self._hand_out(self._store.restart(again))
        for queue in self._by_work_left():
            job = queue.next_job(self._running)
            while job is not None:
                proposal = queue.proposal(job)
                if proposal is not None:
                    return self._hand_out(self._store.start(job, proposal, queue.generation(job)))
                self._give_up(job)
                job = queue.next_job(self._running)
        return Pause.DONE if self.done else Pause.WAIT

    def _by_work_left(self) -> list[GroupQueue]:
        """Most first, so that all groups end together: taking turns leaves long jobs to few workers at the end."""
        return sorted(
            self._groups, key=lambda queue: queue.jobs_left * self._prices[queue.name], reverse=True
        )

    @property
    def done(self) -> bool:
        """Whether every job has ended and none is to come."""
        return not self._running and all(queue.exhausted for queue in self._groups)

    def _hand_out(self, record: JobRecord) -> Handout:
        job, attempt = record.job, record.attempt
        assignment = self._plan.assignment(job, record.nuisance, attempt)
        self._running.add(job)
        self._announce.job_started(job, attempt, assignment.config, record.started_ms)
        return Handout(job, attempt, assignment.to_json())

    def _give_up(self, job: Job) -> None:
        """A finalist without a configuration: its candidate has failed, and the study says so."""
        record = self._store.start(job, Proposal({}))
        self._announce.job_started(job, record.attempt, {}, record.started_ms)
        self._end(job, record.attempt, "failed", reason=NOTHING_TO_FINALISE)

    # -- taking over from an earlier driver ----------------------------------------------------------------

    def _left_running(self) -> Iterator[JobRecord]:
        for group in self._plan.groups:
            for phase in ("search", "final"):
                yield from (r for r in self._store.records(group.name, phase) if not r.ended)

    def _take_over(self, record: JobRecord) -> None:
        """Do what the earlier driver would have done next: end the job, or hand it out again."""
        stopped = any(self._worse_than_its_peers(record.job, report.step) for report in record.reports)
        if not self._settle(record.job, record.attempt, stopped):
            self._running.add(record.job)
            self._again[record.job] = self._clock()

    # -- what workers tell -------------------------------------------------------------------------------

    def report(self, job: Job, attempt: int, step: int, score: float, metrics: Mapping[str, float]) -> bool:
        """Record a round; False if the job is to stop. Repeated and outdated reports change nothing."""
        if not math.isfinite(score):
            self.fail(job, attempt, f"{self._plan.metric} is not finite after step {step}")
            return False
        report = self._store.report(job, attempt, step, score, metrics)
        if report is None:
            return self._is_current(job, attempt)
        self._failures.forgive(job)
        self._announce.job_reported(job, step, report.metrics, report.timestamp_ms)
        return not self._settle(job, attempt, self._worse_than_its_peers(job, step))

    def fail(
        self, job: Job, attempt: int, reason: str, may_retry: bool = False, outage: bool = False
    ) -> None:
        """End the job as failed, or hand it out again where another attempt may go otherwise.

        After an `outage` (of storage or network) that happens after a pause, longer every time.
        """
        if not self._is_current(job, attempt) or job in self._again:
            return
        pause = self._failures.pause(job, outage) if may_retry else None
        if pause is None:
            self._end(job, attempt, "failed", reason=reason)
        else:
            self._again[job] = self._clock() + pause

    def _is_current(self, job: Job, attempt: int) -> bool:
        record = self._store.record(job)
        return record is not None and not record.ended and record.attempt == attempt

    def _settle(self, job: Job, attempt: int, stop: bool) -> bool:
        """End a job that has used its budget or is to stop early; whether it ended."""
        record = self._store.record(job)
        assert record is not None
        if record.step >= self._plan.steps:
            self._end(job, attempt, "complete", score=record.reports[-1].score)
        elif stop:
            self._end(
                job,
                attempt,
                "pruned",
                score=record.reports[-1].score,
                reason=f"stopped at step {record.step}",
            )
        return stop or record.step >= self._plan.steps

    def _worse_than_its_peers(self, job: Job, step: int) -> bool:
        records = self._store.records(job.group, job.phase, job.candidate)
        return should_stop(records, job, step, self._plan)

    def _end(
        self, job: Job, attempt: int, state: EndState, score: float | None = None, reason: str | None = None
    ) -> None:
        record = self._store.end(job, attempt, state, score, reason)
        self._running.discard(job)
        if record is not None and record.ended_ms is not None:
            self._announce.job_ended(job, state, score, reason, record.ended_ms)
            self._count(reason if state == "failed" else None)

    def _count(self, failure: str | None) -> None:
        why = None if failure == NOTHING_TO_FINALISE else self._failures.ended(failure)
        if why is not None:
            self._stop.ask(why, TooManyFailures)


def _price(plan: Plan, group: str) -> float:
    """What one of the group's jobs costs beside another group's; all alike where nothing was measured."""
    return job_seconds(plan, plan.group_plan(group)) or 1.0
