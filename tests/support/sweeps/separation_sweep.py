"""The plan and the study of a small separation sweep, without training: reports are plain numbers."""

from pathlib import Path
from typing import Any

from search_spaces import find_space
from sweep.core.jobs import Job
from sweep.plan.plan import GroupPlan, Plan
from sweep.study.study import JobRecord, Proposal, Report, State
from tests.support.sweeps.contrastive_sweep import make_plan as make_contrastive_plan

GROUP = {"model": "convtasnet"}


def make_plan(output: Path, **changes: Any) -> Plan:
    """The demo of separation_pretraining for one network."""
    space = find_space("separation_pretraining")
    preset = space.presets["demo"]
    candidates = tuple(space.candidates(GROUP, preset))
    settings: dict[str, Any] = {
        "space": space.name,
        "metric": preset.metric,
        "groups": (GroupPlan(name="convtasnet", group=GROUP, candidates=candidates),),
        "steps": preset.steps,
        "round_steps": preset.round_steps,
        "data": preset.data,
        "method_config": preset.config,
    }
    return make_contrastive_plan(output, **(settings | changes))


def record(candidate: str, seed: int, symmetric: list[float], state: State = "complete") -> JobRecord:
    """A finalist that switched so often in each round; half of what switched were swaps of all outputs."""
    reports = tuple(
        Report(10 * number, 1.0, {"switch_percent": 2 * share, "switch_symmetric_percent": share}, number)
        for number, share in enumerate(symmetric, start=1)
    )
    job = Job("convtasnet", "final", candidate, seed)
    return JobRecord(job, state, 1, 0, Proposal({"lr": 1e-3}), started_ms=0, reports=reports, score=1.0)
