"""What `--list-spaces` prints: every question by its methods, with the presets, their cost and the time of the demo.

Times come from sweep/plan/cost.py, for two cores and nothing in the cache. No GPU was ever timed, so the cost of a
preset at scale is given for each tenth of a second that a training step will take.
"""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from search_spaces import SPACES
from search_spaces.space import Preset, Space
from sweep.plan.cost import estimate
from sweep.settings.new_plan import plan_from_arguments

_CORES = 2
_START_MINUTES = 0.5  # of the driver, before the first job
_STEP_SECONDS = 0.1
_EVERYWHERE = "smoke"  # the preset that the introduction describes
_INTRODUCTION = (
    "--space NAME is the question, --preset NAME how much work to spend on it; --dry-run shows the cost of any plan.",
    "--preset smoke runs every part of any of them once, in one or two minutes; its scores mean nothing.",
    f"Minutes: the demo on {_CORES} cores. small and paper need --corpus; GPU-hours: no GPU was timed.",
)


def list_spaces(parser: ArgumentParser) -> str:
    """Plain text of at most 50 lines; `parser` is that of `run`, which plans each demo."""
    demo_hours = {space.name: hours for space in SPACES.values() if (hours := _demo_cpu_hours(space, parser))}
    lines = list(_INTRODUCTION)
    blocks: dict[str, list[Space]] = {}
    for space in SPACES.values():
        blocks.setdefault(space.method if len(space.methods) == 1 else "several methods", []).append(space)
    for spaces in blocks.values():
        methods = dict.fromkeys(method for space in spaces for method in space.methods)
        lines += ["", *_method_lines(list(methods), spaces, demo_hours)]
    return "\n".join(lines)


def _method_lines(methods: Sequence[str], spaces: Sequence[Space], demo_hours: Mapping[str, float]) -> list[str]:
    groups = {f"--{space.group_by}s {','.join(space.groups)}" for space in spaces if space.group_by}
    presets = {name: preset for space in spaces for name, preset in space.presets.items()}
    lines = ["   ".join((", ".join(methods), *sorted(groups)))]
    for name, preset in ((name, preset) for name, preset in presets.items() if name != _EVERYWHERE):
        cost = _range_of_cost(preset, [space for space in spaces if name in space.presets], demo_hours)
        lines.append(f"  --preset {name:<6} {preset.summary}{cost}")
    for space in spaces:
        time = f"{_minutes(demo_hours[space.name]):.0f} min" if space.name in demo_hours else ""
        lines.append(f"  {space.name:<22} {time:>6}  {space.question}")
    return lines


def _range_of_cost(preset: Preset, spaces: Sequence[Space], demo_hours: Mapping[str, float]) -> str:
    """Over the spaces: "; 9 to 21 min, 0.3 to 0.7 CPU-hours"."""
    if preset.at_scale:
        hours = [_gpu_hours(space, space.presets[preset.name]) for space in spaces]
        return f"; {_range(hours, 0)} GPU-hours at {_STEP_SECONDS} s a step"
    hours = [demo_hours[space.name] for space in spaces if space.name in demo_hours]
    if preset.name != "demo" or not hours:
        return ""
    return f"; {_range([_minutes(each) for each in hours], 0)} min, {_range(hours, 1)} CPU-hours"


def _range(values: Sequence[float], digits: int) -> str:
    return " to ".join(dict.fromkeys(f"{each:,.{digits}f}" for each in (min(values), max(values))))


def _minutes(cpu_hours: float) -> float:
    return 60 * cpu_hours / _CORES + _START_MINUTES


def _demo_cpu_hours(space: Space, parser: ArgumentParser) -> float | None:
    """On the demo corpus; None where the space has no demo, or its steps were never timed."""
    if "demo" not in space.presets:
        return None
    flags = ("--space", space.name, "--preset", "demo", "--corpus", "demo", "--gpus-per-trial", "0")
    plan = plan_from_arguments(parser.parse_args(flags), {}, Path.cwd()).plan
    cost = estimate(replace(plan, metric=""), [*plan.stages(), *plan.gate_stages()])  # no metric: no scipy
    return None if cost is None else cost.core_seconds / 3600


def _gpu_hours(space: Space, preset: Preset) -> float:
    groups = [{space.group_by: name} for name in preset.groups] if space.group_by else [{}]
    steps = 0
    for group in groups:
        own = preset.for_group(group.get(str(space.group_by), ""))
        steps += len(space.candidates(group, own)) * own.steps
    return steps * (preset.samples + preset.seeds) * _STEP_SECONDS / 3600
