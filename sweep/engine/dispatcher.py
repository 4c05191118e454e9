"""Which job comes next, and what becomes of it: the logic of a sweep, without Ray.

The study is the only state that matters. A new dispatcher on an existing study first hands out the jobs that an
earlier driver left running. After that the group with the most work left comes first: its search trials as the
generations allow, its finalists as soon as its search has ended. Every decision is a function of the plan and the
study, and under `--seeds auto` of the stored interim looks. A job that an earlier sweep has trained is not handed out:
its reports are recorded here, one by one, as if a worker had sent them.
"""

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple, Protocol

from sweep.core.jobs import Job
from sweep.core.listener import Announcer, EndState, JobEnded, JobReported, JobStarted
from sweep.core.stopping import StopSignal, TooManyFailures
from sweep.engine.deaths import Fault
from sweep.engine.failures import MAX_OWN_DEATHS, Failures, Losses, pause
from sweep.engine.finalist_queue import Contention
from sweep.engine.group_queue import NOTHING_TO_FINALISE, GroupQueue
from sweep.plan.cost import job_seconds
from sweep.plan.plan import Plan
from sweep.search.median_rule import should_stop
from sweep.storage.kept_jobs import KeptReports
from sweep.study.study import JobRecord, Proposal, Report, StudyStore
from trainables.job.assignment import Assignment


@dataclass(frozen=True)
class Handout:
    """A job to run now, with its `Assignment` as JSON."""

    job: Job
    attempt: int
    assignment: dict[str, Any]


class Pause(Enum):
    """Why there is no job to hand out."""

    WAIT = "jobs that are running or being scored decide what comes next"
    DONE = "every job has ended"


class Reuse(Protocol):
    """Finds what earlier sweeps have trained; implemented by `sweep.engine.reuse.Reuse`."""

    def find(self, assignment: Assignment) -> KeptReports | None:
        """The job's reports, as far as they are kept."""

    def place(self, assignment: Assignment) -> bool:
        """Put the files that the job would have left into the sweep's storage; False if it must train."""


class _Found(NamedTuple):
    """A job that earlier sweeps have trained, until its files are in this sweep's storage."""

    record: JobRecord
    assignment: Assignment
    kept: KeptReports
    placed: Future[bool]


class Dispatcher:
    """Hands out the jobs of a plan and records their reports.

    `stop` is set when most jobs fail for the same reason; `clock` (s) times the pauses between attempts;
    `contention` is needed where the plan has interim looks; `reuse` finds what earlier sweeps have trained, and
    `background` copies their files meanwhile, where that takes longer than the next job may wait.
    """

    def __init__(
        self,
        plan: Plan,
        store: StudyStore,
        announcer: Announcer,
        stop: StopSignal | None = None,
        clock: Callable[[], float] = time.monotonic,
        contention: Contention | None = None,
        reuse: Reuse | None = None,
        background: Executor | None = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._announcer = announcer
        self._groups = [GroupQueue(plan, group, store, announcer, contention) for group in plan.groups]
        # Per job; all equal where nothing was measured.
        self._seconds = {group.name: job_seconds(plan, group) or 1.0 for group in plan.groups}
        self._running: set[Job] = set()
        self._reuse = reuse
        self._background = background
        self._placing: list[_Found] = []
        self._stop = stop or StopSignal()
        self._clock = clock
        self._retry_at: dict[Job, float] = {}  # job -> earliest time of its next attempt
        self._losses, self._failures = Losses(), Failures()
        for record in store.all_records(plan):
            if not record.ended:
                self._take_over(record)

    # -- handing out -----------------------------------------------------------------------------------

    def next(self) -> Handout | Pause:
        """The next job to train; `WAIT` until there is one; `DONE` when all have ended."""
        while True:
            found = next((each for each in self._placing if each.placed.done()), None)
            if found is not None:
                self._placing.remove(found)
                handout = self._begin(found.record, found.assignment, found.kept if found.placed.result() else None)
            elif isinstance(answer := self._next(), JobRecord):
                handout = self._hand_out(answer)
            else:
                return answer
            if handout is not None:
                return handout
            if self._stop.asked:  # there may be thousands that need no training
                return Pause.WAIT

    def _next(self) -> JobRecord | Pause:
        """The next job, as started in the study."""
        retry = next((job for job, at in self._retry_at.items() if at <= self._clock()), None)
        if retry is not None:
            del self._retry_at[retry]
            return self._store.restart(retry)
        for queue in self._by_work_left():
            job = queue.next_job(self._running)
            while job is not None:
                proposal = queue.proposal(job)
                if proposal is not None:
                    return self._store.start(job, proposal, queue.generation(job))
                self._fail_without_configuration(job)
                job = queue.next_job(self._running)
        return Pause.DONE if self.done else Pause.WAIT

    def _by_work_left(self) -> list[GroupQueue]:
        """Most first, so that all groups finish together; round robin would leave the long jobs to a few workers."""
        return sorted(self._groups, key=lambda queue: queue.jobs_left * self._seconds[queue.name], reverse=True)

    @property
    def done(self) -> bool:
        """Whether every job has ended and no more will follow."""
        return not self._running and all(queue.exhausted for queue in self._groups)

    def _hand_out(self, record: JobRecord) -> Handout | None:
        """None if nothing of the job is left to train, or that is not known yet."""
        assignment = self._plan.assignment(record.job, record.nuisance, record.attempt)
        self._running.add(record.job)
        kept = self._kept(record, assignment)
        if kept is not None and self._reuse is not None:
            if self._background is not None and assignment.phase == "final":
                placed = self._background.submit(self._reuse.place, assignment)
                self._placing.append(_Found(record, assignment, kept, placed))
                return None
            kept = kept if self._reuse.place(assignment) else None
        return self._begin(record, assignment, kept)

    def _begin(self, record: JobRecord, assignment: Assignment, kept: KeptReports | None) -> Handout | None:
        """Record the job's kept reports, or hand it out; None if nothing of it is left to train."""
        job, attempt = record.job, record.attempt
        source = kept.source if kept else None
        if source != record.reused_from:  # an earlier driver may have died over an entry that is gone now
            self._store.mark_reused(job, source)
        started = JobStarted(job, record.started_ms, attempt, assignment.config, source)
        self._announcer.announce(started)
        if kept is None:
            return Handout(job, attempt, assignment.to_json())
        for report in kept.reports:
            if not self.report(job, attempt, report.step, report.score, report.metrics):
                break
        return None

    def _kept(self, record: JobRecord, assignment: Assignment) -> KeptReports | None:
        """The job's reports, where they lead to its end; those of a job that was stopped early may not suffice here."""
        kept = self._reuse.find(assignment) if self._reuse is not None else None
        return kept if kept is not None and self._leads_to_end(record, kept) else None

    def _leads_to_end(self, record: JobRecord, kept: KeptReports) -> bool:
        job = record.job
        if any(not math.isfinite(report.score) for report in kept.reports) or kept.step < record.step:
            return False
        if kept.step >= self._plan.steps_of(job.group):
            return True
        reports = tuple(Report(report.step, report.score, report.metrics, 0) for report in kept.reports)
        peers = self._store.records(job.group, job.phase, job.candidate)
        known = [replace(peer, reports=reports) if peer.job == job else peer for peer in peers]
        return any(should_stop(known, job, report.step, self._plan) for report in reports)

    def _fail_without_configuration(self, job: Job) -> None:
        """Record a finalist as failed whose candidate has no complete search trial."""
        record = self._store.start(job, Proposal({}))
        self._announcer.announce(JobStarted(job, record.started_ms, record.attempt, {}))
        self._end(job, record.attempt, "failed", reason=NOTHING_TO_FINALISE)

    # -- taking over from an earlier driver ----------------------------------------------------------------

    def _take_over(self, record: JobRecord) -> None:
        """Do what the earlier driver would have done next: end the job, or hand it out again."""
        if record.deaths_here >= MAX_OWN_DEATHS:
            self._end(record.job, record.attempt, "failed", reason=_in_a_row(record.deaths[-1].reason, MAX_OWN_DEATHS))
            return
        stopped = any(self._worse_than_its_peers(record.job, report.step) for report in record.reports)
        if not self._settle(record.job, record.attempt, stopped):
            self._running.add(record.job)
            self._retry_at[record.job] = self._clock()

    # -- reports of workers ------------------------------------------------------------------------------

    def report(self, job: Job, attempt: int, step: int, score: float, metrics: Mapping[str, float]) -> bool:
        """Record a round; False if the job is to stop. Duplicate reports and those of old attempts change nothing."""
        if not math.isfinite(score):
            self.fail(job, attempt, f"{self._plan.metric} is not finite after step {step}")
            return False
        report = self._store.report(job, attempt, step, score, metrics)
        if report is None:
            return self._is_current(job, attempt)
        self._losses.reset(job)
        self._announcer.announce(JobReported(job, report.timestamp_ms, step, report.metrics))
        return not self._settle(job, attempt, self._worse_than_its_peers(job, step))

    def fail(self, job: Job, attempt: int, reason: str, fault: Fault = Fault.TRAINING) -> None:
        """End the job as failed, or schedule another attempt as its `fault` and its earlier losses allow."""
        if not self._is_current(job, attempt) or job in self._retry_at:
            return
        if fault is Fault.TRAINING:
            self._end(job, attempt, "failed", reason=reason)
            return
        count = self._store.add_death(job, reason).deaths_here if fault is Fault.OWN else self._losses.add(job, fault)
        wait = pause(fault, count)
        if wait is not None:
            self._retry_at[job] = self._clock() + wait
        elif fault is Fault.OWN or self._losses.others_went_on(job):
            self._end(job, attempt, "failed", reason=_in_a_row(reason, count))
        else:
            self._retry_at[job] = math.inf
            self._stop.ask(f"{job.path} is lost again and again for causes outside it ({reason}), and no job goes on")

    def deaths(self, job: Job) -> int:
        """How often the job has ended its own worker, or hung, since its last round."""
        record = self._store.record(job)
        return record.deaths_here if record else 0

    def _is_current(self, job: Job, attempt: int) -> bool:
        record = self._store.record(job)
        return record is not None and not record.ended and record.attempt == attempt

    def _settle(self, job: Job, attempt: int, stop: bool) -> bool:
        """End a job that has used its budget or is to stop early; returns whether it ended."""
        record = self._store.record(job)
        assert record is not None
        if record.step >= self._plan.steps_of(job.group):
            self._end(job, attempt, "complete", score=record.reports[-1].score)
        elif stop:
            self._end(job, attempt, "pruned", record.reports[-1].score, f"stopped at step {record.step}")
        return stop or record.step >= self._plan.steps_of(job.group)

    def _worse_than_its_peers(self, job: Job, step: int) -> bool:
        records = self._store.records(job.group, job.phase, job.candidate)
        return should_stop(records, job, step, self._plan)

    def _end(
        self, job: Job, attempt: int, state: EndState, score: float | None = None, reason: str | None = None
    ) -> None:
        record = self._store.end(job, attempt, state, score, reason)
        self._running.discard(job)
        if record is not None and record.ended_ms is not None:
            self._announcer.announce(JobEnded(job, record.ended_ms, state, score, reason))
            self._count(reason if state == "failed" else None)

    def _count(self, failure: str | None) -> None:
        why = None if failure == NOTHING_TO_FINALISE else self._failures.ended(failure)
        if why is not None:
            self._stop.ask(why, TooManyFailures)


def _in_a_row(reason: str, count: int) -> str:
    return f"{reason}, {count} times in a row"
