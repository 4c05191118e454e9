"""The truth about a sweep: which jobs exist, what each has reported and how each ended.

One Optuna study per group and phase (`<sweep>/<group>/search`, `<sweep>/<group>/final`) in SQLite or PostgreSQL; one
Optuna trial per job. Only the driver writes, so it caches what it has read; every change is in the database before
it is announced. States are honest: a job stopped early is PRUNED, a failed one FAIL, and only a job that used its
whole budget is COMPLETE.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.core.jobs import Job
from sweep.core.listener import EndState
from sweep.plan.plan import Plan
from sweep.study.claim import Claim, claim_of, taken_in_study
from sweep.study.dashboard import dashboard_attributes
from sweep.study.database import StudyDatabase
from trainables.metrics.catalogue import METRICS

State = Literal["running", "complete", "pruned", "failed"]

_STATES: dict[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
_TRIAL_STATES = {state: trial_state for trial_state, state in _STATES.items()}


@dataclass(frozen=True)
class Proposal:
    """The nuisance values of a job, and the sampler's view of them (empty for finalists)."""

    nuisance: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """One round of a job; a redelivered report keeps its first timestamp."""

    step: int
    score: float
    metrics: dict[str, float]
    timestamp_ms: int

    @property
    def failed_clips(self) -> int:
        """Validation clips that could not be scored and are not in the score."""
        return int(self.metrics.get("failed_clips", 0))


@dataclass(frozen=True)
class Death:
    """The end of a worker by the job's own doing, after the round that ended at `step`."""

    step: int
    reason: str


@dataclass(frozen=True)
class JobRecord:
    """Everything known about a job. `attempt` counts how often it was handed out."""

    job: Job
    state: State
    attempt: int
    generation: int
    proposal: Proposal
    started_ms: int
    reports: tuple[Report, ...] = ()  # by step
    score: float | None = None
    reason: str | None = None
    ended_ms: int | None = None
    deaths: tuple[Death, ...] = ()  # only those the job caused itself
    reused_from: str | None = None  # "<sweep>/<job>" that trained it, where its reports were kept

    @property
    def deaths_here(self) -> int:
        """Since the last round."""
        return sum(death.step == self.step for death in self.deaths)

    @property
    def nuisance(self) -> dict[str, Any]:
        return self.proposal.nuisance

    @property
    def step(self) -> int:
        """The last step reported, 0 before the first report."""
        return self.reports[-1].step if self.reports else 0

    @property
    def scores(self) -> dict[int, float]:
        return {report.step: report.score for report in self.reports}

    def report_at(self, step: int) -> Report | None:
        return next((report for report in self.reports if report.step == step), None)

    @property
    def failed_clips(self) -> int:
        """Of the last report."""
        return self.reports[-1].failed_clips if self.reports else 0

    @property
    def ended(self) -> bool:
        return self.state != "running"


class StudyStore:
    """The studies of one sweep, by job.

    `study_uri` is an SQLAlchemy URL or an Optuna storage (simulations run in memory); `returned` is called when the
    database is back after an outage; `reading` promises not to write. Close it (`contextlib.closing`), or an SQLite
    study keeps its log next to it. Raises `UserError` where the database cannot be used, and for a study that is not
    the `owner`'s; without an owner it does not matter whose it is.
    """

    def __init__(
        self,
        study_uri: str | BaseStorage,
        sweep_name: str,
        returned: Callable[[], None] = lambda: None,
        owner: Plan | None = None,
        reading: bool = False,
    ) -> None:
        self._database = StudyDatabase(study_uri, returned, reading)
        self._sweep = sweep_name
        self._owner = owner
        self._lower = owner is not None and METRICS[owner.metric].lower
        self._study_ids: dict[tuple[str, str], int] = {}
        self._trial_ids: dict[Job, int] = {}
        self._records: dict[tuple[str, str], dict[Job, JobRecord]] = {}
        self._of_candidate: defaultdict[tuple[str, str, str], dict[Job, JobRecord]] = defaultdict(dict)

    @classmethod
    def of(cls, plan: Plan, returned: Callable[[], None] = lambda: None, reading: bool = False) -> "StudyStore":
        """The plan's own studies, and no other sweep's of its name."""
        return cls(plan.study_uri, plan.name, returned, owner=plan, reading=reading)

    def close(self) -> None:
        """Close the database's connections; what was read stays in memory."""
        self._database.close()

    # -- reading -------------------------------------------------------------------------------------

    def record(self, job: Job) -> JobRecord | None:
        """None if the job was never handed out."""
        return self._loaded(job.group, job.phase).get(job)

    def records(self, group: str, phase: str, candidate: str | None = None) -> list[JobRecord]:
        """Of one candidate or of all, in the order in which the jobs were first handed out."""
        records = self._loaded(group, phase)
        return list((records if candidate is None else self._of_candidate[group, phase, candidate]).values())

    def all_records(self, plan: Plan) -> list[JobRecord]:
        """Of every group and phase of the plan."""
        return [record for group, phase in plan.phases for record in self.records(group, phase)]

    def _loaded(self, group: str, phase: str) -> dict[Job, JobRecord]:
        key = (group, phase)
        if key not in self._records:
            study_id = self._find_study(group, phase)
            trials = [] if study_id is None else self._database.trials(study_id)
            self._trial_ids.update({Job.parse(trial.user_attrs["job"]): trial._trial_id for trial in trials})
            self._records[key] = {}
            for trial in trials:
                self._keep(_record_of(trial))
        return self._records[key]

    # -- writing: the driver only ----------------------------------------------------------------------

    def start(self, job: Job, proposal: Proposal, generation: int = 0) -> JobRecord:
        """Create the job as running, at attempt 1, in one transaction."""
        records = self._loaded(job.group, job.phase)
        if job in records:
            raise ValueError(f"job {job.path} was started before: restart it")
        record = JobRecord(job, "running", 1, generation, proposal, started_ms=_now_ms())
        handout = {"generation": generation, "nuisance": proposal.nuisance, "started_ms": record.started_ms}
        trial = create_trial(
            state=TrialState.RUNNING,
            params=proposal.params,
            distributions=proposal.distributions,
            # Few attributes, since each costs SQL statements of its own; candidate and seed are in the job's name.
            user_attrs={"job": job.path, "attempt": 1, "handout": handout},
        )
        study_id = self._find_or_create_study(job.group, job.phase)
        self._trial_ids[job] = self._database.create_trial(study_id, trial)
        return self._keep(record)

    def restart(self, job: Job) -> JobRecord:
        """Increment the attempt of a running job; reports of earlier attempts are dropped from now on."""
        record = self._running(job)
        self._set_attribute(job, "attempt", record.attempt + 1)
        return self._keep(replace(record, attempt=record.attempt + 1))

    def add_death(self, job: Job, reason: str) -> JobRecord:
        """Record that the running job has ended its own worker."""
        record = self._running(job)
        deaths = (*record.deaths, Death(record.step, reason))
        self._set_attribute(job, "deaths", [asdict(death) for death in deaths])
        return self._keep(replace(record, deaths=deaths))

    def mark_reused(self, job: Job, source: str | None) -> JobRecord:
        """Record that the running job's further reports are those that `source` has left; None takes that back."""
        record = self._running(job)
        self._set_attribute(job, "reused_from", source)
        return self._keep(replace(record, reused_from=source))

    def report(self, job: Job, attempt: int, step: int, score: float, metrics: Mapping[str, float]) -> Report | None:
        """Record a round; None (and nothing recorded) if it is a duplicate, of an older attempt, or too late."""
        record = self.record(job)
        if record is None or record.ended or attempt != record.attempt or step <= record.step:
            return None
        report = Report(step, score, dict(metrics), _now_ms())
        details = {"metrics": report.metrics, "timestamp_ms": report.timestamp_ms}
        self._set_attribute(job, _report_attribute(step), details)
        # The score goes last: a report exists once its score does.
        self._database.set_score(self._trial_ids[job], step, score)
        self._keep(replace(record, reports=(*record.reports, report)))
        return report

    def end(
        self, job: Job, attempt: int, state: EndState, score: float | None = None, reason: str | None = None
    ) -> JobRecord | None:
        """End the job; None (and nothing recorded) if it has ended or the attempt is an older one."""
        record = self.record(job)
        if record is None or record.ended or attempt != record.attempt:
            return None
        ended_ms = _now_ms()
        self._set_attribute(job, "end", {"reason": reason, "timestamp_ms": ended_ms})
        values = None if score is None else [score]
        self._database.finish(self._trial_ids[job], _TRIAL_STATES[state], values)
        return self._keep(replace(record, state=state, score=score, reason=reason, ended_ms=ended_ms))

    def _running(self, job: Job) -> JobRecord:
        record = self.record(job)
        if record is None or record.ended:
            raise ValueError(f"job {job.path} is not running")
        return record

    def _keep(self, record: JobRecord) -> JobRecord:
        job = record.job
        self._records[job.group, job.phase][job] = record
        self._of_candidate[job.group, job.phase, job.candidate][job] = record
        return record

    def _set_attribute(self, job: Job, key: str, value: Any) -> None:
        self._database.set_attribute(self._trial_ids[job], key, value)

    # -- studies ---------------------------------------------------------------------------------------

    def claim(self, plan: Plan) -> None:
        """Create every study of the plan before its first job: from then on their names are taken."""
        for group, phase in plan.phases:
            self._find_or_create_study(group, phase)

    def _find_study(self, group: str, phase: str) -> int | None:
        """Raises `UserError` for another sweep's."""
        found = self._database.find_study(self._study_name(group, phase))
        if found is None or self._owner is None:
            return found
        claim = Claim.of(self._database.study_attributes(found))
        if claim.identity == self._owner.identity:
            return found
        if not claim.identity and not self._database.trials(found):  # its creator died before it had claimed it
            return found
        raise taken_in_study(self._owner, claim)

    def _find_or_create_study(self, group: str, phase: str) -> int:
        key = (group, phase)
        if key not in self._study_ids:
            found = self._find_study(group, phase)
            name = self._study_name(group, phase)
            self._study_ids[key] = self._database.create_study(name, self._lower) if found is None else found
            self._mark(self._study_ids[key])
            self._describe(self._study_ids[key], group, phase)
        return self._study_ids[key]

    def _mark(self, study_id: int) -> None:
        """Write into the study whose it is, and where that sweep lies now."""
        claim = claim_of(self._owner) if self._owner else {}
        held = self._database.study_attributes(study_id) if claim else {}
        for attribute, value in claim.items():
            if held.get(attribute) != value:
                self._database.set_study_attribute(study_id, attribute, value)

    def _describe(self, study_id: int, group: str, phase: str) -> None:
        """Once: a user may have edited the note since."""
        if self._owner is None or self._database.study_notes(study_id):
            return
        for attribute, value in dashboard_attributes(self._owner, group, phase).items():
            self._database.set_study_note(study_id, attribute, value)

    def _study_name(self, group: str, phase: str) -> str:
        return f"{self._sweep}/{group}/{phase}"


def _report_attribute(step: int) -> str:
    return f"report-{step}"


def _record_of(trial: FrozenTrial) -> JobRecord:
    facts = trial.user_attrs
    handout = facts.get("handout", facts)  # in the first studies these were separate attributes
    state = _STATES[trial.state]
    end = facts.get("end", {}) if state != "running" else {}
    return JobRecord(
        job=Job.parse(facts["job"]),
        state=state,
        attempt=facts["attempt"],
        generation=handout["generation"],
        proposal=Proposal(handout["nuisance"], trial.params, trial.distributions),
        started_ms=handout["started_ms"],
        reports=tuple(
            Report(step, score, **facts[_report_attribute(step)])
            for step, score in sorted(trial.intermediate_values.items())
        ),
        score=trial.value,
        reason=end.get("reason"),
        ended_ms=end.get("timestamp_ms"),
        deaths=tuple(Death(**death) for death in facts.get("deaths", ())),
        reused_from=facts.get("reused_from"),
    )


def _now_ms() -> int:
    return int(time.time() * 1000)
