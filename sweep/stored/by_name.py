"""Sweeps by name: where they are stored, their names in a folder or bucket, and the frozen plan of each."""

import contextlib
import json
from pathlib import Path

from sweep.plan.plan import Plan
from sweep.stored import layout
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage, s3_address
from trainables.base.user_path import real_user_path

LONGEST_NAME = 80


def load_plan(name: str, base: str) -> Plan:
    """The frozen plan of a sweep. Raises `UserError`, naming the known sweeps, if there is none."""
    output = join(base, sweep_name(name))
    if not is_there(output):
        known = sweep_names(base)
        there = f"there are: {', '.join(known[-10:])}" if known else "it holds none"
        raise UserError(f"no sweep named {sweep_name(name)!r} in {base} ({there}); start one with --space")
    storage = Storage(output)
    with storage.within_reach():
        content = storage.read(layout.PLAN)
    try:
        return Plan.from_json(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{output}/{layout.PLAN} is not a plan that this version can read ({type(error).__name__}): "
            "restore it, or start a new sweep"
        ) from error


def is_there(output: str) -> bool:
    """Whether a sweep was started there. Raises `UserError` for an unreachable bucket."""
    storage = Storage(output)
    with storage.within_reach():
        return storage.exists(layout.PLAN)


def sweep_name(typed: str) -> str:
    """The name as typed, without the slash of shell completion. Raises `UserError` for a path."""
    name = typed.rstrip("/")
    if not name or len(name) > LONGEST_NAME or "/" in name or name.startswith("."):
        shown = f"{typed[:40]}..." if len(typed) > LONGEST_NAME else typed
        raise UserError(
            f"{shown!r} is not a sweep's name: give one as the run printed it, such as "
            f"norm_layers-20250131-235959-ab12, at most {LONGEST_NAME} characters and not a path (--output is "
            "for its folder)"
        )
    return name


def sweep_names(base: str) -> list[str]:
    """The names of all sweeps in `base`, in order."""
    storage = Storage(base)
    with storage.within_reach():
        return [name for name in storage.folders() if _holds_plan(storage, name)]


def _holds_plan(storage: Storage, folder: str) -> bool:
    with contextlib.suppress(PermissionError):  # another user's folder next to the sweeps
        return storage.exists(f"{folder}/{layout.PLAN}")
    return False


def is_remote(place: str) -> bool:
    return place.startswith("s3://")


def join(base: str, name: str) -> str:
    return f"{base.rstrip('/')}/{name}"


def resolve_base(base: str, folder: Path) -> str:
    """An absolute folder, or the s3:// prefix as it is; other schemes are refused."""
    address = s3_address(base, "--output")
    if "://" in base and not address:
        raise UserError(f"--output {base!r}: give a folder or s3://bucket/prefix")
    return address or real_user_path(base, folder)
