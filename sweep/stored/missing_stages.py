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
    return _corpus(plan, plan.corpus_uri, plan.corpus_source, plan.corpus_fingerprint)


def pretraining_corpus_of(plan: Plan) -> Corpus:
    """The corpus that its pre-training ran on, in the same way."""
    if not plan.pretraining_corpus_source:
        return corpus_of(plan)
    source, fingerprint = plan.pretraining_corpus_source, plan.pretraining_corpus_fingerprint
    return _corpus(plan, plan.pretraining_corpus_uri, source, fingerprint)


def _corpus(plan: Plan, uri: str, source: str, fingerprint: str) -> Corpus:
    try:
        corpus = Corpus.open(uri)
    except UserError:  # its copy in a cache is gone
        corpus = open_or_prepare(source)
    if corpus.fingerprint != fingerprint:
        raise UserError(
            f"the corpus {source} has changed since sweep {plan.name!r} (fingerprint {corpus.fingerprint}, it was "
            f"{fingerprint}): restore it"
        )
    return corpus


def require_stages(plan: Plan, assignment: Assignment, artifacts: Artifacts) -> None:
    """Compute the missing ones among the assignment's stages and its shared prefix."""
    direct = [*assignment.stages, *([assignment.prefix] if assignment.prefix else [])]
    stages = [Stage.from_json(stage) for stage in direct]
    if all(artifacts.has(stage.key) for stage in stages):
        return
    for stage in in_order(tuple(stages)):
        if not artifacts.has(stage.key):
            say_on_standard_error(f"{stage.name}: no longer stored, computed again")
            run_stage(stage, pretraining_corpus_of(plan) if stage.pretrains else corpus_of(plan), artifacts)
