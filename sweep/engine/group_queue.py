"""The jobs of one group not handed out yet, in order, and the configuration of each.

Search trials come first, as their generations allow; finalists follow when the search has ended.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

from search_spaces.space import BEST_CONFIGURATION
from sweep.core.jobs import Job
from sweep.core.listener import Announcer
from sweep.engine.finalist_queue import Contention, FinalistQueue
from sweep.plan.plan import GroupPlan, Plan
from sweep.search.proposals import GroupSearch, generation_of, must_precede
from sweep.study.study import JobRecord, Proposal, StudyStore
from trainables.metrics.catalogue import merit

NOTHING_TO_FINALISE = "no search trial of this candidate finished"


class GroupQueue:
    """Hands out a group's jobs; with interim looks `contention` decides on the finalists (see `FinalistQueue`)."""

    def __init__(
        self, plan: Plan, group: GroupPlan, store: StudyStore, announcer: Announcer, contention: Contention | None
    ) -> None:
        self._plan = plan
        self.name = group.name
        self._candidates = len(group.candidates)
        self._store = store
        self._search = GroupSearch(plan, group.name)
        self._trials = deque(job for job in plan.search_jobs(group.name) if store.record(job) is None)
        self._finalists = FinalistQueue(plan, group.name, store, announcer, contention)

    @property
    def exhausted(self) -> bool:
        """Whether no more jobs will follow."""
        return not self._trials and self._finalists.exhausted

    @property
    def jobs_left(self) -> int:
        """Jobs not handed out yet, counting every candidate's finalists of later looks."""
        return len(self._trials) + self._finalists.jobs_left

    def next_job(self, running: Collection[Job]) -> Job | None:
        """The next job, taken off the queue; None while the jobs it depends on are running."""
        mine = [job for job in running if job.group == self.name]
        searching = [job for job in mine if job.phase == "search"]
        if self._trials:
            free = (job for job in self._firsts() if not any(must_precede(each, job, self._plan) for each in searching))
            if (chosen := next(free, None)) is not None:
                self._trials.remove(chosen)
            return chosen
        return None if searching else self._finalists.next_job([job for job in mine if job.phase == "final"])

    def _firsts(self) -> Iterator[Job]:
        """Each candidate's first trial left: whatever this one waits for, the candidate's later ones wait for, too."""
        seen: set[str] = set()
        for job in self._trials:
            if job.candidate not in seen:
                seen.add(job.candidate)
                yield job
                if len(seen) == self._candidates:
                    return

    def generation(self, job: Job) -> int:
        return generation_of(job, self._plan) if job.phase == "search" else 0

    def proposal(self, job: Job) -> Proposal | None:
        """The job's nuisance values; None for a finalist whose candidate has no complete search trial."""
        records = self._store.records(self.name, "search")
        if job.phase == "search":
            return self._search.propose(job, records)
        return self._settled(job.candidate) or self._chosen(records, job.candidate)

    def _chosen(self, records: Sequence[JobRecord], candidate: str) -> Proposal | None:
        """The candidate's best configuration; where configurations are the answer, the one of its rank."""
        space = self._plan.space_object()
        ranks = [c.label for c in self._plan.group_plan(self.name).candidates if not c.baseline]
        if space.answer == BEST_CONFIGURATION and candidate in ranks:
            pool = [record for record in records if record.job.candidate in ranks]
            return ranked_configuration(pool, ranks.index(candidate), self._plan.metric)
        return best_configuration(records, candidate, self._plan.metric)

    def _settled(self, candidate: str) -> Proposal | None:
        """The configuration of the candidate's earlier finalists, which later seeds must share."""
        own = self._store.records(self.name, "final", candidate)
        return next((record.proposal for record in own if record.reason != NOTHING_TO_FINALISE), None)


def ranked_configuration(records: Sequence[JobRecord], rank: int, metric: str) -> Proposal | None:
    """The rank-th best (0 = best) distinct configuration of all complete trials; None past the last."""
    complete = [record for record in records if record.state == "complete"]
    distinct: list[dict[str, Any]] = []
    for record in sorted(complete, key=partial(_worth, metric), reverse=True):
        if record.nuisance not in distinct:
            distinct.append(record.nuisance)
    return Proposal(distinct[rank]) if rank < len(distinct) else None


def best_configuration(records: Sequence[JobRecord], candidate: str, metric: str) -> Proposal | None:
    """The configuration of the candidate's best complete search trial; ties go to the earliest."""
    return ranked_configuration([record for record in records if record.job.candidate == candidate], 0, metric)


def _worth(metric: str, record: JobRecord) -> tuple[int, float, int]:
    """Fewest failed clips first: a mean that excludes the clips on which a model is silent must not pay off."""
    return -record.failed_clips, merit(metric, record.score or 0.0), -record.job.number
