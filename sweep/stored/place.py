"""Where a sweep lies: where its plan was found, which after a move is not what the plan says.

A plan names its places in full. Those inside the folder it was frozen in move with it; a sweep that is still in its
old place too has been copied, and only one of the two may go on.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

from sweep.core.addresses import sqlite_path, sqlite_uri
from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from sweep.stored import layout
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def found_in(plan: Plan, output: str) -> Plan:
    """The plan with every place inside its own folder or prefix as it is now, `output`."""
    if _same_place(plan.output, output):
        return plan
    return Plan.from_json(_moved(plan.to_json(), plan.output, output))


def left_behind(storage: Storage) -> str | None:
    """The place that the plan in `storage` names, if that is another one; None where the sweep never moved."""
    named = str(_plan_in(storage).get("output") or storage.uri)
    return None if _same_place(named, storage.uri) else named


def refuse_copy(storage: Storage) -> None:
    """Raise `UserError`, naming both places, if the sweep is also where its plan says: which one is meant?"""
    named = left_behind(storage)
    if named is not None and is_also_in(storage, named):
        raise UserError(
            f"this sweep is in two places, {storage.uri} and {named}, and only one may go on: delete the other, or "
            f"rename its {layout.PLAN}"
        )


def exists_already(name: str, place: str) -> UserError:
    """A first start found a plan in its place."""
    return UserError(
        f"a sweep named {name!r} already exists in {place}: if it is yours, continue it with "
        f"{command_line('run --resume', place)}; else choose another --name"
    )


def is_also_in(storage: Storage, place: str) -> bool:
    """Whether the same sweep is in `place` too, as far as that can be looked into."""
    there: dict[str, Any] = {}
    with contextlib.suppress(Exception):  # gone, unreadable, or in a bucket that is: not seen from here
        there = _plan_in(Storage(place))
    return bool(there) and _signature(there) == _signature(_plan_in(storage))


def _signature(plan: dict[str, Any]) -> tuple[Any, ...]:
    """Sweeps of earlier versions have no identity; their name, code and corpus must do."""
    return tuple(plan.get(field) for field in ("identity", "name", "code", "corpus_fingerprint"))


def _plan_in(storage: Storage) -> dict[str, Any]:
    plan = json.loads(storage.read(layout.PLAN))
    return plan if isinstance(plan, dict) else {}


def _same_place(one: str, other: str) -> bool:
    """Links and mounts may lead to one folder by several paths."""
    if one == other:
        return True
    with contextlib.suppress(OSError):
        return "://" not in one + other and Path(one).samefile(other)
    return False


def _moved(value: Any, old: str, new: str) -> Any:
    """Every text of plain JSON that is a path, prefix or SQLite address inside `old`, inside `new`."""
    if isinstance(value, dict):
        # Of what lies in a bucket, the driver's own folder stays on the machine it is on.
        return {key: item if key == "home" and "://" in new else _moved(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, old, new) for item in value]
    if not isinstance(value, str):
        return value
    file = sqlite_path(value)
    if file is not None:
        return sqlite_uri(Path(str(_moved(str(file), old, new)))) if "://" not in new else value
    return new + value[len(old) :] if value == old or value.startswith(f"{old}/") else value
