"""The nuisance values of search trials: Optuna's TPE, made independent of the order in which trials finish.

Trials come in generations whose size the plan fixes. Trial n is sampled from a *view* of its group that holds only
earlier generations, by a sampler seeded from (sweep seed, group, n), so the same plan gives the same trials whatever
the number of workers and the order in which they finish. The first trial of each candidate takes the anchor values
of its space. Grids are small, so a proposal that repeats an earlier one of its candidate is drawn again with another
seed.
"""

import math
from collections.abc import Mapping, Sequence

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
# Trials in a view, and how many of the oldest are dropped at once: the cost of a proposal must not grow.
_VIEW_SIZE, _DROPPED = 200, 100
_CANDIDATE = "candidate"


def generation_of(job: Job, plan: Plan) -> int:
    return job.number // plan.generation_size


class GroupSearch:
    """The proposals of one group, to be requested in ascending order of trial numbers."""

    def __init__(self, plan: Plan, group: str) -> None:
        self._plan = plan
        self._group = plan.group_plan(group)
        self._space = plan.space_object()
        self._preset = plan.preset_object(group)
        self._trials: dict[Job, FrozenTrial] = {}  # in the view
        self._generation = -1  # the one the view was made for
        self._view = study_of([], plan.metric)

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
        self._update_view(records, generation_of(job, self._plan))
        first = self._draw(job, 0)
        if first.nuisance not in tried:
            return first
        others = (self._draw(job, draw) for draw in range(1, _DRAWS))
        return next((other for other in others if other.nuisance not in tried), first)

    def _update_view(self, records: Sequence[JobRecord], generation: int) -> None:
        """Fill the view with the ended trials of earlier generations (with --async: all ended trials).

        Failed trials are left out, and so are those with more failed clips than others, which their scores ignore.
        """
        if generation == self._generation and not self._plan.asynchronous:
            return  # earlier generations had ended before this one began
        self._generation = generation
        ended = [r for r in records if r.state in ("complete", "pruned") and self._visible(r, generation)]
        fewest = min((record.failed_clips for record in ended), default=0)
        ended = [record for record in ended if record.failed_clips == fewest]
        dropped = max(0, -(-(len(ended) - _VIEW_SIZE) // _DROPPED)) * _DROPPED
        latest = sorted(ended, key=lambda record: record.job.number)[dropped:]
        self._trials = {record.job: self._trials.get(record.job) or trial_of(record) for record in latest}
        self._view = study_of(list(self._trials.values()), self._plan.metric)

    def _visible(self, record: JobRecord, generation: int) -> bool:
        return record.ended if self._plan.asynchronous else record.generation < generation

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
        seed = derive_seed(self._plan.sweep_seed, job.group, job.number, draw) % 2**32
        return self._ask(job, _tpe(seed) if draw < _TPE_DRAWS else RandomSampler(seed=seed))

    def _ask(self, job: Job, sampler: BaseSampler, fixed: Mapping[str, object] | None = None) -> Proposal:
        self._view.sampler = sampler
        self._view.enqueue_trial({_CANDIDATE: job.candidate, **(fixed or {})})
        trial = self._view.ask()
        trial.suggest_categorical(_CANDIDATE, [candidate.label for candidate in self._group.candidates])
        candidate = self._plan.candidate(job.group, job.candidate)
        nuisance = self._space.suggest(trial, self._group.group, candidate, self._preset)
        return Proposal(self._plan.searched(nuisance), dict(trial.params), dict(trial.distributions))

    def _grid_size(self, proposal: Proposal) -> float:
        """The number of different configurations of its candidate; inf where a parameter is continuous."""
        searched = (d for name, d in proposal.distributions.items() if name not in {_CANDIDATE, *self._plan.fixed})
        return math.prod(len(d.choices) if isinstance(d, CategoricalDistribution) else math.inf for d in searched)


def study_of(trials: Sequence[FrozenTrial], metric: str) -> optuna.Study:
    """An in-memory study by this metric; trials asked of it stay running, and TPE ignores running trials."""
    study = optuna.create_study(direction="minimize" if METRICS[metric].lower else "maximize")
    study.add_trials(trials)
    return study


def _tpe(seed: int) -> TPESampler:
    """Univariate, so that a parameter which only some candidates have is modelled from just these.

    Every option is explicit: defaults change between Optuna's versions, and with them every proposal.
    """
    return TPESampler(
        n_startup_trials=10,
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
