"""A finished sweep of really trained models, as small as they come: no Ray, no test split."""

import json
from dataclasses import replace
from pathlib import Path

from search_spaces import find_space
from sweep.core.jobs import Job
from sweep.plan.plan import GroupPlan, Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from sweep.stored.missing_stages import require_stages
from sweep.stored.rows import store_rows
from sweep.study.study import Proposal, StudyStore
from tests.support.sweeps.small_sweep import make_plan
from trainables.audio.corpus.corpus import Corpus
from trainables.base.storage.storage import Storage
from trainables.inference import score_estimates, stored_estimates
from trainables.trainable import SpeechTrainable

GROUP, LEADER = "tera", "layer1"
SEARCHED = Job(GROUP, "search", LEADER, 1)
FINALISTS = (
    Job(GROUP, "final", LEADER, 1001),
    Job(GROUP, "final", LEADER, 1002),
    Job(GROUP, "final", "random", 1001),
)
_IDENTITY = ("step", "attempt", "done")  # of a result, which are not metrics


def trained_sweep(base: Path, corpus: Corpus, name: str = "trained") -> Plan:
    """Its jobs are SEARCHED, whose checkpoints are gone, and FINALISTS; needs SPEECH_SWEEP_CACHE set."""
    plan = _plan(base, corpus, name)
    storage = Storage(plan.output)
    storage.write("plan.json", json.dumps(plan.to_json()).encode())
    study = StudyStore(plan.study_uri, plan.name)
    rows = []
    for job in (SEARCHED, *FINALISTS):
        _train(plan, storage, study, job)
        if job.phase == "final":
            assignment = plan.assignment(job, nuisance_of(plan, job), attempt=1)
            estimates = stored_estimates(assignment, corpus, StoredCheckpoints(storage), "valid")
            rows += score_estimates(assignment, estimates, "valid", [plan.metric])
    storage.delete_prefix("jobs/tera/search")
    store_rows(storage, rows, "valid")
    storage.write("result.json", json.dumps(_result(plan)).encode())
    return plan


def _plan(base: Path, corpus: Corpus, name: str) -> Plan:
    space = find_space("norm_layers")
    preset = space.presets["smoke"]
    group = {"upstream": GROUP}
    candidates = [c for c in space.candidates(group, preset) if c.label in (LEADER, "random")]
    return make_plan(
        base / name,
        name=name,
        preset="smoke",
        groups=(GroupPlan(name=GROUP, group=group, candidates=tuple(candidates)),),
        samples=1,
        seeds=(1001, 1002),
        steps=preset.steps,
        round_steps=preset.round_steps,
        data=replace(preset.data, valid_seconds=3.0),
        method_config=dict(preset.config),
        corpus_source=corpus.uri,
        corpus_uri=corpus.uri,
        corpus_fingerprint=corpus.fingerprint,
    )


def nuisance_of(plan: Plan, job: Job) -> dict[str, object]:
    group = plan.group_plan(job.group)
    candidate = plan.candidate(job.group, job.candidate)
    return plan.anchor(group, candidate)


def _train(plan: Plan, storage: Storage, study: StudyStore, job: Job) -> None:
    nuisance = nuisance_of(plan, job)
    study.start(job, Proposal(nuisance))
    assignment = plan.assignment(job, nuisance, attempt=1)
    require_stages(plan, assignment, stage_store(plan.output))
    trainable = object.__new__(SpeechTrainable)  # in this process, without a cluster
    trainable.setup({"assignment": assignment.to_json()}, StoredCheckpoints(storage), stage_store(plan.output))
    done = False
    while not done:
        result = trainable.step()
        done = result["done"]
        metrics = {k: float(v) for k, v in result.items() if isinstance(v, float | int) and k not in _IDENTITY}
        study.report(job, 1, result["step"], result["score"], metrics)
    study.end(job, 1, "complete", result["score"])
    StoredCheckpoints(storage).prune(job.path, keep=1)


def _result(plan: Plan) -> dict[str, object]:
    """As far as a loader reads it."""
    candidates = [
        {"label": c.label, "config": {**c.config, **nuisance_of(plan, Job(GROUP, "final", c.label, 0))}}
        for c in plan.groups[0].candidates
    ]
    group = {"group": plan.groups[0].group, "leader": {"label": LEADER}, "candidates": candidates}
    return {"sweep": plan.name, "metric": plan.metric, "groups": [group]}
