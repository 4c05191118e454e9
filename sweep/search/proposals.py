"""Which nuisance values a search trial tries: TPE, made independent of who finishes first.

Trials come in generations whose size the plan fixes. Trial n is drawn from a *view* of its group that holds
only earlier generations, with a generator seeded from (sweep seed, group, n), so the same plan asks for the
same trials whatever the number of workers and the order in which they finish. Each candidate's first
trial takes the values its space calls the anchor. Grids are small, so a proposal that repeats an earlier one
of its candidate is drawn again with another seed.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import numpy as np
from optuna import Trial
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.search.drawn_trial import Draw, DrawnTrial
from sweep.search.generation_sampler import GenerationSampler, draw_evenly
from sweep.study.study import JobRecord, Proposal
from trainables.base.errors import UserError
from trainables.base.randomness import derive_seed

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
        self._taught: dict[Job, FrozenTrial] = {}  # how the sampler sees what is in the view
        self._looked_at = -1  # the generation the view was made for
        self._view = GenerationSampler([])

    def propose(self, job: Job, records: Sequence[JobRecord]) -> Proposal:
        """The configuration of trial `job.number`; `records` are of the trials handed out before it."""
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
        """Have the view hold what ended in earlier generations (with --async: at all).

        Failed trials teach nothing, nor do those with more failed clips than others: their scores leave these out.
        """
        if generation == self._looked_at and not self._plan.asynchronous:
            return  # all of these had ended when its first trial was asked for
        self._looked_at = generation
        ended = [r for r in records if r.state in ("complete", "pruned") and self._may_teach(r, generation)]
        fewest = min((record.failed_clips for record in ended), default=0)
        ended = [record for record in ended if record.failed_clips == fewest]
        forgotten = max(0, -(-(len(ended) - _REMEMBERED) // _FORGOTTEN)) * _FORGOTTEN
        latest = sorted(ended, key=lambda record: record.job.number)[forgotten:]
        self._taught = {record.job: self._taught.get(record.job) or trial_of(record) for record in latest}
        self._view = GenerationSampler(list(self._taught.values()))

    def _may_teach(self, record: JobRecord, generation: int) -> bool:
        return record.ended if self._plan.asynchronous else record.generation < generation

    def _anchor(self, job: Job) -> Proposal:
        candidate = self._plan.candidate(job.group, job.candidate)
        anchor = self._space.anchor(self._group.group, candidate, self._preset)
        draw, fixed = partial(draw_evenly, rng=np.random.RandomState(0)), self._space.parameters(anchor)
        try:
            proposal = self._ask(job, draw, fixed)
        except ValueError:  # a value that its distribution does not hold
            proposal = Proposal({})
        if proposal.nuisance != self._searched(anchor):
            raise UserError(
                f"space {self._space.name}: the anchor {anchor} of candidate {job.candidate!r} is not "
                "among the values its suggest function draws: mend the space"
            )
        return proposal

    def _draw(self, job: Job, draw: int) -> Proposal:
        rng = np.random.RandomState(derive_seed(self._plan.sweep_seed, job.group, job.number, draw) % 2**32)
        return self._ask(job, partial(self._view.draw if draw < _TPE_DRAWS else draw_evenly, rng=rng), {})

    def _ask(self, job: Job, draw: Draw, fixed: Mapping[str, object]) -> Proposal:
        trial = DrawnTrial(draw, {_CANDIDATE: job.candidate, **fixed}, job.number)
        trial.suggest_categorical(_CANDIDATE, [candidate.label for candidate in self._group.candidates])
        candidate = self._plan.candidate(job.group, job.candidate)
        # Everything of a Trial that suggests; typed as spaces know it.
        nuisance = self._space.suggest(cast(Trial, trial), self._group.group, candidate, self._preset)
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


def trial_of(record: JobRecord) -> FrozenTrial:
    """A finished trial as the sampler sees it: stopped trials count by their scores up to there."""
    complete = record.state == "complete"
    trial = create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=record.score if complete else None,
        params=record.proposal.params,
        distributions=record.proposal.distributions,
        intermediate_values=record.scores,
    )
    trial.number = record.job.number
    return trial
