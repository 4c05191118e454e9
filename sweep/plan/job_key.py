"""What a job's bits rest on, as a key: two jobs with one key train to the same bits, whichever sweep they are in.

As a stage's key (trainables/job/stages.py), it leaves out names and places. It leaves out the training shared with
other jobs, too (trainables/shared_prefix.py): a job computes the same bits with and without.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sweep.plan.plan import Plan
from trainables.job.assignment import Assignment, DataSettings
from trainables.job.stages import Stage, library_versions

# Raised when what is kept under a key, or how, changes.
_VERSION = 1
_NOT_BITS = ("job", "attempt", "corpus_uri", "pretraining_corpus_uri", "stages", "prefix")
# Libraries whose version can change a loss or a score, and so a report, next to those of stages.
_MORE_LIBRARIES = ("numba", "pesq", "pystoi", "fast_bss_eval", "soxr", "speechmos", "onnxruntime", "jiwer")
# Of `DataSettings`: what has no part in which clips an evaluation set has, and how they are mixed.
_TRAINING_ALONE = ("batch", "crop_seconds", "training_snrs", "labelled_minutes")


def job_key(assignment: Assignment, code: str) -> str:
    """Of the job's training: its reports and its last checkpoint. `code` is the plan's fingerprint of training code."""
    plain = assignment.to_json()
    data = {name: value for name, value in plain["data"].items() if name != "test_seconds"}  # no training reads test
    return _digest(
        {
            **{name: value for name, value in plain.items() if name not in _NOT_BITS},
            "data": data,
            "stages": [Stage.from_json(stage).key for stage in assignment.stages],
            "code": code,
            "libraries": libraries(),
            "version": _VERSION,
        }
    )


def rows_key(plan: Plan, data: DataSettings, split: str) -> str:
    """Of a trained job's rows of a split; of the unprocessed input's, which has no job: see `noisy_key`."""
    metrics = (plan.metric,) if split == "valid" else plan.scored
    return _digest(
        {
            "split": split,
            "evaluation": evaluation_facts(data),
            "corpus": plan.corpus_fingerprint,
            "metrics": list(metrics),
            "slow_clips": plan.slow_clips if split == "test" else None,
            "models": _identities(plan, metrics),
            "code": plan.code,
            "libraries": libraries(),
            "version": _VERSION,
        }
    )


def noisy_key(plan: Plan, data: DataSettings) -> str:
    """In place of a job's key, for the rows of the unprocessed input."""
    return _digest({"noisy": evaluation_facts(data), "corpus": plan.corpus_fingerprint, "code": plan.code})


def evaluation_set_key(corpus_fingerprint: str, data: DataSettings) -> str:
    """Of a test set: the same audio, mixed and cut alike, whatever is asked of it and however much of it is heard."""
    seconds = ("valid_seconds", "test_seconds")  # a longer set begins with the shorter one
    facts = {name: value for name, value in evaluation_facts(data).items() if name not in seconds}
    return _digest({"corpus": corpus_fingerprint, **facts})


def candidate_key(plan: Plan, group: str, label: str) -> str:
    """Of what a candidate stands for, so that a candidate renamed counts as the same."""
    candidate = plan.candidate(group, label)
    facts = {"method": plan.method_of(candidate), "group": plan.group_plan(group).group, "config": candidate.config}
    return _digest(facts)


def evaluation_facts(data: DataSettings) -> dict[str, Any]:
    return {name: value for name, value in asdict(data).items() if name not in _TRAINING_ALONE}


def _identities(plan: Plan, metrics: Iterable[str]) -> dict[str, str]:
    """Of the models behind these metrics: a local one's hash, as the plan has it, for its file may be replaced."""
    return {name: plan.weights[f"metric {name}"] for name in plan.models if name in metrics}


def libraries() -> dict[str, str]:
    """Versions of all that can change a bit of a job or of its rows."""
    return {**library_versions(), **library_versions(_MORE_LIBRARIES)}


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
