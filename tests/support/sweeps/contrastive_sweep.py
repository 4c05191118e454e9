"""The plan and the study of a small contrastive sweep, without training: scores are plain functions."""

from pathlib import Path
from typing import Any

from search_spaces import find_space
from sweep.core.jobs import Job
from sweep.plan.plan import GroupPlan, Plan
from sweep.study.study import JobRecord, Proposal, Report
from tests.support.sweeps import small_sweep

TRAIN_SECONDS, TRAIN_UTTERANCES = 512.0, 128


def make_plan(output: Path, preset: str = "demo", **changes: Any) -> Plan:
    """The schedule space; an epoch is 250 steps of 4 crops of 0.512 s."""
    space = find_space("contrastive_schedule")
    chosen = space.presets[preset]
    splits = {
        name: {"speech_seconds": TRAIN_SECONDS, "utterances": TRAIN_UTTERANCES} for name in ("train", "valid", "test")
    }
    settings: dict[str, Any] = {
        "space": space.name,
        "preset": preset,
        "metric": chosen.metric,
        "groups": (GroupPlan(name="all", group={}, candidates=tuple(space.candidates({}, chosen))),),
        "generation_size": 7,
        "exempt": 3,
        "steps": chosen.steps,
        "round_steps": chosen.round_steps,
        "data": chosen.data,
        "method_config": chosen.config,
        "corpus_uri": "demo",
        "corpus_summary": {"splits": splits},
    }
    return small_sweep.make_plan(output, **(settings | changes))


def record(job: Job, curve: dict[int, float], nuisance: dict[str, Any], **metrics: float) -> JobRecord:
    """A complete job with that curve; `metrics` are in each of its reports."""
    reports = tuple(Report(step, score, dict(metrics), timestamp_ms=step) for step, score in curve.items())
    last = curve[max(curve)]
    return JobRecord(job, "complete", 1, 0, Proposal(nuisance), started_ms=0, reports=reports, score=last)
