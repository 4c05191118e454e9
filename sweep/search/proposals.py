"""The nuisance values of search trials: Optuna's TPE, made independent of the order in which trials finish.

Trials come in generations. A trial is sampled from a *view* that holds only earlier generations, by a sampler whose
seed is keyed, so the same plan gives the same trials whatever the number of workers and the order in which they finish.

Each candidate is a search of its own: a generation is one trial, the view holds the candidate's earlier ones, and the
seed comes from (sweep seed, group, which of its trials it is). How a candidate is tuned never depends on what it is
compared with, and as long as values are drawn at random, all candidates try the same ones: no candidate wins by luck in
what was tried. Where the plan has one search for a group (ranks of one pool; earlier versions), the view holds the
trials of all candidates, a generation is `generation_size` of them, and the seed has the group's trial number.

The first trial of each candidate takes the anchor values of its space. Grids are small, so a proposal that repeats an
earlier one of its candidate is drawn again with another seed.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.study.study import JobRecord, Proposal
from trainables.base.errors import UserError
from trainables.base.randomness import derive_seed
from trainables.metrics.catalogue import METRICS

# Draws of one proposal until it is new: the first by TPE, the others at random, since TPE tends to repeat itself.
_TPE_DRAWS = 4
_DRAWS = 60
# Trials in a view before TPE draws from it, at random until then.
_STARTUP, _STARTUP_APART = 10, 5
# Trials in a view, and how many of the oldest are dropped at once: the cost of a proposal must not grow.
_VIEW_SIZE, _DROPPED = 200, 100
_CANDIDATE = "candidate"


def generation_of(job: Job, plan: Plan) -> int:
    return plan.own_number(job) if plan.tunes_apart else job.number // plan.generation_size


def must_precede(other: Job, job: Job, plan: Plan) -> bool:
    """Whether `other` must have ended before `job`, a search trial of the same group, can be drawn."""
    if plan.asynchronous or (plan.tunes_apart and other.candidate != job.candidate):
        return False
    return generation_of(other, plan) < generation_of(job, plan)


class GroupSearch:
    """The proposals of one group; those of a candidate are to be requested in ascending order of trial numbers."""

    def __init__(self, plan: Plan, group: str) -> None:
        self._plan = plan
        self._group = plan.group_plan(group)
        self._space = plan.space_object()
        self._preset = plan.preset_object(group)
        self._views: defaultdict[str, _View] = defaultdict(partial(_View, plan))  # candidate, or "" for all of them

    def propose(self, job: Job, records: Sequence[JobRecord]) -> Proposal:
        """The configuration of trial `job.number`; `records` are those of the trials handed out before it."""
        own = [record for record in records if record.job.candidate == job.candidate]
        if not own:
            return self._anchor(job)
        tried = [record.nuisance for record in own]
        if self._grid_size(own[0].proposal) <= len(own):
            distinct = {str(record.nuisance): record.proposal for record in own}
            if self._grid_size(own[0].proposal) <= len(distinct):
                # The grid is used up; repeating it keeps the number of trials equal for all candidates.
                return list(distinct.values())[len(own) % len(distinct)]
        self._view(job).update(own if self._plan.tunes_apart else records, generation_of(job, self._plan))
        first = self._draw(job, 0)
        if first.nuisance not in tried:
            return first
        others = (self._draw(job, draw) for draw in range(1, _DRAWS))
        return next((other for other in others if other.nuisance not in tried), first)

    def _view(self, job: Job) -> "_View":
        return self._views[job.candidate if self._plan.tunes_apart else ""]

    def _anchor(self, job: Job) -> Proposal:
        candidate = self._plan.candidate(job.group, job.candidate)
        anchor = self._plan.anchor(self._group, candidate)
        try:
            proposal = self._ask(job, RandomSampler(seed=0), self._space.parameters(anchor))
            create_trial(value=0.0, params=proposal.params, distributions=proposal.distributions)
        except ValueError:  # a value outside its distribution
            proposal = Proposal({})
        if proposal.nuisance != self._plan.searched(anchor):
            raise UserError(
                f"space {self._space.name}: the anchor {anchor} of candidate {job.candidate!r} is not "
                "among the values its suggest function draws: correct the space"
            )
        return proposal

    def _draw(self, job: Job, draw: int) -> Proposal:
        plan = self._plan
        # The same for all candidates: luck in what is drawn then decides nothing between them.
        number = plan.own_number(job) if plan.tunes_apart else job.number
        seed = derive_seed(plan.sweep_seed, job.group, number, draw) % 2**32
        startup = _STARTUP_APART if plan.tunes_apart else _STARTUP
        return self._ask(job, _tpe(seed, startup) if draw < _TPE_DRAWS else RandomSampler(seed=seed))

    def _ask(self, job: Job, sampler: BaseSampler, fixed: Mapping[str, object] | None = None) -> Proposal:
        view = self._view(job).study
        view.sampler = sampler
        view.enqueue_trial({_CANDIDATE: job.candidate, **(fixed or {})})
        trial = view.ask()
        trial.suggest_categorical(_CANDIDATE, [candidate.label for candidate in self._group.candidates])
        candidate = self._plan.candidate(job.group, job.candidate)
        nuisance = self._space.suggest(trial, self._group.group, candidate, self._preset)
        return Proposal(self._plan.searched(nuisance), dict(trial.params), dict(trial.distributions))

    def _grid_size(self, proposal: Proposal) -> float:
        """The number of different configurations of its candidate; inf where a parameter is continuous."""
        searched = (d for name, d in proposal.distributions.items() if name not in {_CANDIDATE, *self._plan.fixed})
        return math.prod(len(d.choices) if isinstance(d, CategoricalDistribution) else math.inf for d in searched)


class _View:
    """The trials that a sampler sees, as a study: ended ones of earlier generations (with --async: all ended ones)."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._trials: dict[Job, FrozenTrial] = {}
        self._generation = -1  # the one the view was made for
        self.study = study_of([], plan.metric)

    def update(self, records: Sequence[JobRecord], generation: int) -> None:
        """Without failed trials, and without those with more failed clips than others, which their scores ignore."""
        if generation == self._generation and not self._plan.asynchronous:
            return  # earlier generations had ended before this one began
        self._generation = generation
        ended = [r for r in records if r.state in ("complete", "pruned") and self._visible(r, generation)]
        fewest = min((record.failed_clips for record in ended), default=0)
        ended = [record for record in ended if record.failed_clips == fewest]
        dropped = max(0, -(-(len(ended) - _VIEW_SIZE) // _DROPPED)) * _DROPPED
        latest = sorted(ended, key=lambda record: record.job.number)[dropped:]
        before = list(self._trials)
        if [record.job for record in latest[: len(before)]] == before:  # nothing went, and what is new comes last
            new = latest[len(before) :]
        else:
            new, self._trials, self.study = latest, {}, study_of([], self._plan.metric)
        self._trials |= {record.job: trial_of(record) for record in new}
        self.study.add_trials([self._trials[record.job] for record in new])

    def _visible(self, record: JobRecord, generation: int) -> bool:
        return record.ended if self._plan.asynchronous else record.generation < generation


def study_of(trials: Sequence[FrozenTrial], metric: str) -> optuna.Study:
    """An in-memory study by this metric; trials asked of it stay running, and TPE ignores running trials."""
    study = optuna.create_study(direction="minimize" if METRICS[metric].lower else "maximize")
    study.add_trials(trials)
    return study


def _tpe(seed: int, startup: int) -> TPESampler:
    """Univariate, so that a parameter which only some candidates have is modelled from just these.

    Every option is explicit: defaults change between Optuna's versions, and with them every proposal.
    """
    return TPESampler(
        n_startup_trials=startup,
        n_ei_candidates=24,
        multivariate=False,
        group=False,
        constant_liar=False,
        seed=seed,
    )


def trial_of(record: JobRecord) -> FrozenTrial:
    """An ended trial for the sampler; pruned trials count by their scores so far."""
    complete = record.state == "complete"
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=record.score if complete else None,
        params=record.proposal.params,
        distributions=record.proposal.distributions,
        intermediate_values=record.scores,
    )
