"""Which stages of a plan are still to be computed."""

from sweep.plan.plan import Plan
from sweep.storage.stage_store import stage_store
from trainables.job.stages import Stage


def uncached_stages(plan: Plan, stages: list[Stage]) -> list[Stage]:
    """Those that no earlier sweep has left in the cache; without a corpus fingerprint none can be there."""
    second = plan.pretraining_corpus_fingerprint or not plan.pretraining_corpus_source
    if not plan.corpus_fingerprint or not second:
        return stages
    store = stage_store(plan.output)
    return [stage for stage in stages if not store.has(stage.key)]
