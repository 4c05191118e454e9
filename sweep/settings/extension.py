"""Extends a resumed sweep by more trials, seeds, hours or upstreams, as long as that cannot bias its answer.

plan.json keeps every extension with its time. Search trials come before their candidate's finalists and finalist
seeds before the leader is named, so neither can be added once their results may have been seen.
"""

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.space import Candidate, Preset, Space
from sweep.plan.plan import GroupPlan, Plan, default_seeds
from sweep.stored import layout
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.config.fields import FieldRules
from trainables.config.registry import config_class, group_flags

if TYPE_CHECKING:
    from sweep.study.study import StudyStore

AUTO = "auto"
EXTENSIBLE = ("samples", "seeds", "max_hours", "upstreams")


def extended(plan: Plan, arguments: argparse.Namespace, folder: Path) -> Plan:
    """The plan with what the arguments add; the same object if that is nothing. Raises `UserError`.

    `folder` is the user's.
    """
    larger: dict[str, list[Any] | None] = {
        "samples": _upwards(plan, "samples", plan.samples, arguments.samples),
        "seeds": _more_seeds(plan, arguments.seeds),
        "max_hours": _more_hours(plan, arguments.max_hours),
        "upstreams": _new_groups(plan, arguments.upstreams),
    }
    changes = {name: change for name, change in larger.items() if change is not None}
    if not changes:
        return plan
    values = {"samples": arguments.samples, "max_hours": arguments.max_hours}
    if "seeds" in changes:
        values["seeds"] = default_seeds(arguments.seeds, plan.sweep_seed)
    more = replace(plan, **{name: value for name, value in values.items() if name in changes})
    if "upstreams" in changes:
        added = group_plans(more.space_object(), more.preset_object(""), changes["upstreams"][1], folder)
        more = replace(more, groups=(*plan.groups, *added))
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(more, extensions=(*plan.extensions, {"time": when, **changes}))


def refuse_dishonest(before: Plan, after: Plan, store: "StudyStore | None", storage: Storage) -> None:
    """Raise `UserError` if an addition could be a reaction to results that it may still change.

    Without a `store`, which a dry run may be unable to reach, added search trials are not checked.
    """
    if store is not None and after.samples > before.samples:
        started = [group.name for group in before.groups if store.records(group.name, "final")]
        if started:
            raise UserError(
                f"--samples {after.samples}: finalists of {started[0]} have started from {before.samples} search "
                "trials per candidate; more could be a reaction to their results. Start a new sweep"
            )
    if len(after.seeds) > len(before.seeds) and storage.exists(layout.NOMINATIONS):
        raise UserError(
            f"--seeds {len(after.seeds)}: the leaders were named with {len(before.seeds)} seeds and test was opened; "
            "seeds added now would be a second look. Start a new sweep with more seeds"
        )


# -- what is added -----------------------------------------------------------------------------------------


def _upwards(plan: Plan, name: str, now: int, wanted: int | None) -> list[int] | None:
    if wanted is None or wanted == now:
        return None
    if wanted < now:
        raise UserError(f"--{name} {wanted}: sweep {plan.name!r} has {now}, which can be raised, never lowered")
    return [now, wanted]


def _more_seeds(plan: Plan, wanted: int | str | None) -> list[int] | None:
    """The looks of `--seeds auto` keep the error rate only if their number is fixed before the first."""
    if plan.looks and wanted not in (None, AUTO):
        raise UserError(
            f"--seeds {wanted}: sweep {plan.name!r} has --seeds auto, whose looks were fixed when it started; leave "
            "it out, or start a new sweep"
        )
    if plan.resolve is not None and wanted is not None:
        raise UserError(
            f"--seeds {wanted}: sweep {plan.name!r} has --resolve, which sets the number of seeds itself, "
            f"{len(plan.seeds)} at most as priced; leave it out, or start a new sweep"
        )
    if wanted == AUTO and not plan.looks:
        raise UserError(
            f"--seeds auto: sweep {plan.name!r} was planned with {len(plan.seeds)} seeds for all; give a larger "
            "number, or start a new sweep"
        )
    return _upwards(plan, "seeds", len(plan.seeds), wanted) if isinstance(wanted, int) else None


def _more_hours(plan: Plan, wanted: float | None) -> list[float | None] | None:
    """Hours change no job, so a sweep without a limit may still be given one."""
    if wanted is None or wanted == plan.max_hours:
        return None
    if plan.max_hours is not None and wanted < plan.max_hours:
        raise UserError(
            f"--max-hours {wanted:g}: sweep {plan.name!r} has {plan.max_hours:g}, which can be raised, never lowered"
        )
    return [plan.max_hours, wanted]


def _new_groups(plan: Plan, listed: str | None) -> list[Any] | None:
    """[before, added]; None if the plan has them all."""
    if not listed:
        return None
    before = [group.name for group in plan.groups]
    added = [name for name in group_names(listed, plan.space_object()) if name not in before]
    return [before, added] if added else None


def group_names(listed: str, space: Space) -> list[str]:
    """The group values of a comma-separated flag. Raises `UserError` naming what is wrong with them."""
    if space.group_by is None:
        raise UserError(
            f"{' or '.join(group_flags())} {listed!r}: space {space.name} asks one question for all; leave it out"
        )
    names = [item.strip() for item in listed.split(",")]
    for name in names:
        if name not in space.groups:
            raise UserError(f"unknown {space.group_by} {name!r}: choose from {', '.join(space.groups)}")
    if len(set(names)) < len(names):
        raise UserError(f"--{space.group_by}s {listed!r} names one twice: name each once")
    return names


def group_plans(space: Space, preset: Preset, names: list[str], folder: Path) -> tuple[GroupPlan, ...]:
    """A group for each of `names`; paths of its candidates start from `folder`."""
    each = [(name, {str(space.group_by): name}) for name in names]
    return tuple(group_plan(space, preset.for_group(name), name, group, folder) for name, group in each)


def group_plan(space: Space, preset: Preset, name: str, group: dict[str, str], folder: Path) -> GroupPlan:
    """The group's candidates. Raises `UserError` where one names an unknown method."""

    def placed(candidate: Candidate) -> Candidate:
        method = candidate.method or space.method
        return replace(candidate, config=FieldRules(method, config_class(method)).located(candidate.config, folder))

    return GroupPlan(name=name, group=group, candidates=tuple(map(placed, space.candidates(group, preset))))
