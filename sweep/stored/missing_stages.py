"""Provides the stages a job depends on: those no longer in the cache are computed again, here and without Ray."""

from sweep.core.outage import say_on_standard_error
from sweep.plan.plan import Plan
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.recipes.preparation import open_or_prepare
from trainables.base.errors import UserError
from trainables.config.registry import run_stage
from trainables.job.assignment import Assignment
from trainables.job.stages import Artifacts, Stage, in_order


def corpus_of(plan: Plan) -> Corpus:
    """The corpus the sweep ran on, prepared again if necessary. Raises `UserError` if it has changed since."""
    try:
        corpus = Corpus.open(plan.corpus_uri)
    except UserError:  # its copy in a cache is gone
        corpus = open_or_prepare(plan.corpus_source)
    if corpus.fingerprint != plan.corpus_fingerprint:
        raise UserError(
            f"the corpus {plan.corpus_source} has changed since sweep {plan.name!r} (fingerprint "
            f"{corpus.fingerprint}, it was {plan.corpus_fingerprint}): restore it"
        )
    return corpus


def require_stages(plan: Plan, assignment: Assignment, artifacts: Artifacts) -> None:
    """Compute the missing ones among the assignment's stages and its shared prefix."""
    direct = [*assignment.stages, *([assignment.prefix] if assignment.prefix else [])]
    stages = [Stage.from_json(stage) for stage in direct]
    if all(artifacts.has(stage.key) for stage in stages):
        return
    corpus = corpus_of(plan)
    for stage in in_order(tuple(stages)):
        if not artifacts.has(stage.key):
            say_on_standard_error(f"{stage.name}: no longer stored, computed again")
        run_stage(stage, corpus, artifacts)
