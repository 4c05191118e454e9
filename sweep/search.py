"""Which nuisance values a search trial tries: TPE, made independent of who finishes first.

Trials come in generations whose size the plan fixes. Trial n is asked from a *view* of its group's study
that holds only earlier generations, with a sampler seeded from (sweep seed, group, n), so the same plan asks
for the same trials whatever the number of workers and the order in which they finish. Each candidate's first
trial takes the values its space calls the anchor. Grids are small, so a proposal that repeats an earlier one
of its candidate is drawn again with another seed.
"""

import math
import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.generation_sampler import Densities, GenerationSampler
from sweep.jobs import Job
from sweep.plan import Plan
from sweep.study import JobRecord, Proposal
from trainables.errors import UserError
from trainables.randomness import derive_seed

# Draws of one proposal, until it is no repetition: TPE's, then random ones, for TPE insists on what it likes.
_TPE_DRAWS = 4
_DRAWS = 60
# Trials of a group that TPE looks back at, and how many it forgets at once: an ask must not cost more and more.
_REMEMBERED, _FORGOTTEN = 200, 100
_CANDIDATE = "candidate"


def generation_of(job: Job, plan: Plan) -> int:
    return job.number // plan.generation


class GroupSearch:
    """The proposals of one group. Ask in ascending order of trial numbers."""

    def __init__(self, plan: Plan, group: str) -> None:
        self._plan = plan
        self._group = plan.group_plan(group)
        self._space = plan.space_object()
        self._preset = plan.preset_object()
        self._blank, self._view = _empty_study(), _empty_study()
        self._viewed: list[Job] = []
        self._looked_at = -1  # the generation the view was made for
        self._densities: Densities = {}  # of the view

    def propose(
        self, job: Job, records: Sequence[JobRecord], own: Sequence[JobRecord] | None = None
    ) -> Proposal:
        """The configuration of trial `job.number`; `records` are of the trials handed out before it.

        `own` are those of its candidate, where the caller has them at hand: looking for them costs more and more.
        """
        if own is None:
            own = [record for record in records if record.job.candidate == job.candidate]
        if not own:
            return self._anchor(job)
        tried = [record.nuisance for record in own]
        if self._grid_size(own[0].proposal) <= len(own):
            distinct = {str(record.nuisance): record.proposal for record in own}
            if self._grid_size(own[0].proposal) <= len(distinct):
                # Nothing is left to ask for; going round keeps every candidate's number of trials the same.
                return list(distinct.values())[len(own) % len(distinct)]
        self._look_at(records, generation_of(job, self._plan))
        first = self._draw(job, 0)
        if first.nuisance not in tried:
            return first
        others = (self._draw(job, draw) for draw in range(1, _DRAWS))
        return next((other for other in others if other.nuisance not in tried), first)

    def _look_at(self, records: Sequence[JobRecord], generation: int) -> None:
        """Have the view hold what ended in earlier generations (with --async: at all); failures teach nothing."""
        if generation == self._looked_at and not self._plan.asynchronous:
            return  # all of these had ended when its first trial was asked for
        self._looked_at = generation
        ended = [r for r in records if r.state in ("complete", "pruned") and self._may_teach(r, generation)]
        forgotten = max(0, -(-(len(ended) - _REMEMBERED) // _FORGOTTEN)) * _FORGOTTEN
        latest = sorted(ended, key=lambda record: record.job.number)[forgotten:]
        jobs, known = [record.job for record in latest], len(self._viewed)
        if jobs[:known] != self._viewed:
            self._view, known = _empty_study(), 0
        self._viewed = jobs
        self._densities = {}
        self._view.add_trials([trial_of(record) for record in latest[known:]])

    def _may_teach(self, record: JobRecord, generation: int) -> bool:
        return record.ended if self._plan.asynchronous else record.generation < generation

    def _anchor(self, job: Job) -> Proposal:
        candidate = self._plan.candidate(job.group, job.candidate)
        anchor = self._space.anchor(self._group.group, candidate, self._preset)
        try:
            proposal = self._ask(self._blank, RandomSampler(seed=0), job, anchor)
        except ValueError:  # a value that its distribution does not hold
            proposal = Proposal({})
        if proposal.nuisance != self._searched(anchor):
            raise UserError(
                f"space {self._space.name}: the anchor {anchor} of candidate {job.candidate!r} is not "
                "among the values its suggest function draws: mend the space"
            )
        return proposal

    def _draw(self, job: Job, draw: int) -> Proposal:
        seed = derive_seed(self._plan.sweep_seed, job.group, job.number, draw) % 2**32
        if draw < _TPE_DRAWS:
            return self._ask(self._view, GenerationSampler(seed, self._densities), job, {})
        return self._ask(self._blank, RandomSampler(seed=seed), job, {})

    def _ask(self, study: optuna.Study, sampler: BaseSampler, job: Job, fixed: dict[str, object]) -> Proposal:
        study.sampler = sampler
        labels = [candidate.label for candidate in self._group.candidates]
        study.enqueue_trial({_CANDIDATE: job.candidate, **fixed})
        trial = study.ask()
        trial.suggest_categorical(_CANDIDATE, labels)
        candidate = self._plan.candidate(job.group, job.candidate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor outside its range is reported as our own error
            nuisance = self._space.suggest(trial, self._group.group, candidate, self._preset)
        study.tell(trial, state=TrialState.FAIL)  # a study here learns from records only
        return Proposal(self._searched(nuisance), dict(trial.params), dict(trial.distributions))

    def _searched(self, nuisance: dict[str, object]) -> dict[str, object]:
        """Without the fields that --set fixed."""
        return {name: value for name, value in nuisance.items() if name not in self._plan.fixed}

    def _grid_size(self, proposal: Proposal) -> float:
        """How many different values its candidate can try."""
        searched = (
            d for name, d in proposal.distributions.items() if name not in {_CANDIDATE, *self._plan.fixed}
        )
        return math.prod(
            len(d.choices) if isinstance(d, CategoricalDistribution) else math.inf for d in searched
        )


def _empty_study() -> optuna.Study:
    return optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())


def trial_of(record: JobRecord) -> FrozenTrial:
    """A finished trial as the sampler sees it: stopped trials count by their scores up to there."""
    complete = record.state == "complete"
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=record.score if complete else None,
        params=record.proposal.params,
        distributions=record.proposal.distributions,
        intermediate_values=record.scores,
    )
