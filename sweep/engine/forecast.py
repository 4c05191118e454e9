"""What a new sweep would not have to train, found out before it starts: the dispatcher run on an empty study.

It is a lower bound. A search trial that must be trained has no score yet, so what is drawn after its generation is not
known, nor, under `--seeds auto`, who gets more seeds.
"""

from collections import Counter

from optuna.storages import InMemoryStorage

from search_spaces.space import BEST_CONFIGURATION
from sweep.core.jobs import Job
from sweep.core.listener import Announcer
from sweep.engine.dispatcher import Dispatcher, Handout
from sweep.engine.group_queue import best_configuration
from sweep.engine.reuse import Reuse
from sweep.plan.cost import Known
from sweep.plan.plan import Plan
from sweep.storage.artifacts import StoredArtifacts
from sweep.study.study import StudyStore
from trainables.job.assignment import Assignment


def corpora_known(plan: Plan) -> bool:
    """Whether the corpora were prepared before; until then there is no key of any job."""
    return bool(plan.corpus_fingerprint and (plan.pretraining_corpus_fingerprint or not plan.pretraining_corpus_source))


def seems_known(plan: Plan, stages: StoredArtifacts, reuse: Reuse) -> bool:
    """Whether all stages and every candidate's first trial are kept: most likely, so is the rest. Quick."""
    firsts = (job for group in plan.groups for job in plan.search_jobs(group.name) if plan.own_number(job) == 0)
    return all(stages.exists(stage.key) for stage in (*plan.stages(), *plan.gate_stages())) and all(
        reuse.find(_first_trial(plan, job)) is not None for job in firsts
    )


def _first_trial(plan: Plan, job: Job) -> Assignment:
    anchor = plan.anchor(plan.group_plan(job.group), plan.candidate(job.group, job.candidate))
    return plan.assignment(job, plan.searched(anchor), attempt=1)


def known_jobs(plan: Plan, reuse: Reuse) -> Known:
    """The jobs of the plan that are kept, at least; nothing is copied or written."""
    looking = _Looking(reuse)
    store = StudyStore(InMemoryStorage(), plan.name)
    dispatcher = Dispatcher(plan, store, Announcer(), reuse=looking)
    while isinstance(dispatcher.next(), Handout):
        pass  # it would train, and stays without a score
    found = {record.job for record in store.all_records(plan) if record.reused_from is not None}
    found |= {job for job in _finalists_ahead(plan, store) if _is_kept(plan, store, looking, job)}
    by_phase = {phase: Counter(job.group for job in found if job.phase == phase) for phase in ("search", "final")}
    return Known(search=dict(by_phase["search"]), final=dict(by_phase["final"]))


def _finalists_ahead(plan: Plan, store: StudyStore) -> list[Job]:
    """Not handed out, since other candidates are still searching, but with a configuration that is settled."""
    if plan.space_object().answer == BEST_CONFIGURATION:  # it ranks all candidates' trials together
        return []
    ahead = []
    for group in plan.groups:
        ended = Counter(record.job.candidate for record in store.records(group.name, "search") if record.ended)
        seeds = plan.at_first_look().seeds
        finalists = [job for job in plan.final_jobs(group.name) if job.number in seeds and store.record(job) is None]
        ahead += [job for job in finalists if ended[job.candidate] == plan.samples]
    return ahead


def _is_kept(plan: Plan, store: StudyStore, looking: "_Looking", job: Job) -> bool:
    best = best_configuration(store.records(job.group, "search"), job.candidate, plan.metric)
    if best is None:
        return False
    assignment = plan.assignment(job, best.nuisance, attempt=1)
    return looking.find(assignment) is not None and looking.place(assignment)


class _Looking:
    """Finds as `reuse` does, and places nothing."""

    def __init__(self, reuse: Reuse) -> None:
        self.find = reuse.find
        self.place = reuse.could_place
