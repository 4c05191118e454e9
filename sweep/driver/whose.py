"""Whether a start may use its name and places, found out before anything is written; and where a moved sweep lies now.

A name is one sweep's own in a study database, in an MLflow experiment, in a folder or bucket prefix. Each of these
may be shared, so what is there already is compared with the plan's identity.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy

from sweep.core.addresses import sqlite_path
from sweep.plan.plan import Plan
from sweep.settings.settings import Planned
from sweep.stored import layout
from sweep.stored.place import exists_already
from sweep.study.claim import foreign_claim, taken_in_study
from sweep.study.lock import sweep_lock
from sweep.tracking.artifacts import follow
from sweep.tracking.namesake import refuse_namesake
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_OF_A_SWEEP = {value.split("/")[0] for name, value in vars(layout).items() if name.isupper()}


def refuse_clash(planned: Planned, storage: Storage, must_reach: bool = True) -> None:
    """Raise `UserError` where the plan's name or a place of it is another sweep's; nothing is written.

    A study database that cannot be asked is an error only where the start `must_reach` it.
    """
    plan = planned.plan
    if planned.stored is None:
        for place in dict.fromkeys((storage.uri, plan.home)):
            _refuse_used_place(Storage(place), plan)
    else:
        _refuse_lost_study(plan, storage)
    try:
        claim = foreign_claim(plan)
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        if not must_reach:
            return
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise UserError(f"cannot ask the study's database ({cause}): check --study-uri") from error
    if claim is not None:
        raise taken_in_study(plan, claim)


def _refuse_used_place(storage: Storage, plan: Plan) -> None:
    """Checkpoints, leaders or a spool without a plan are another sweep's, and would be taken for this one's."""
    with storage.within_reach():
        left = sorted(path for path in storage.list() if path.split("/")[0] in _OF_A_SWEEP)
    if layout.PLAN in left:
        raise exists_already(plan.name, storage.uri)
    if left:
        raise UserError(
            f"{storage.uri} holds {left[0]} of another sweep: choose another --name, or clear that place first"
        )


def _refuse_lost_study(plan: Plan, storage: Storage) -> None:
    """Without its study a sweep that has begun would train everything again."""
    file = sqlite_path(plan.study_uri)
    if file is not None and not file.exists() and storage.exists(layout.HEARTBEAT):
        raise UserError(
            f"sweep {plan.name!r} has begun, and its study {file} is not on this machine: resume it where that file "
            "lies, or put it back"
        )


@contextlib.contextmanager
def own_name(planned: Planned, storage: Storage) -> Iterator[Callable[[], None]]:
    """Hold the sweep's lock, with its name and places found to be its own; yields as `sweep_lock` does.

    Raises `UserError` as `refuse_clash` does, and where MLflow has another sweep of this name or another process
    drives this one.
    """
    plan = planned.plan
    refuse_clash(planned, storage)
    if planned.stored is None:
        refuse_namesake(plan)
    storage.probe()
    try:
        Path(plan.home).mkdir(parents=True, exist_ok=True)
    except OSError as error:  # of a sweep in a bucket that was started on another machine
        raise UserError(
            f"cannot make {plan.home} ({error.strerror}), where this sweep's driver keeps files of its own: resume it "
            "where it was started, or as a user who may write there"
        ) from error
    with sweep_lock(plan) as take_lock_again:
        refuse_clash(planned, storage)  # again: another sweep of this name may have had the lock until now
        settle(planned, plan, storage)
        yield take_lock_again


def freeze(planned: Planned, plan: Plan, storage: Storage) -> None:
    """Write plan.json at the first start, and again only with extensions or under other libraries.

    Raises `UserError` where another first start of this name, with another study and so another lock, came before.
    """
    if (before := planned.stored) is not None:
        if (before.extensions, before.libraries) != (plan.extensions, plan.libraries):
            storage.write(layout.PLAN, as_json(plan))
        return
    with contextlib.suppress(FileExistsError):
        storage.create(layout.PLAN, as_json(plan))
    if json.loads(storage.read(layout.PLAN)).get("identity") != plan.identity:
        raise exists_already(plan.name, plan.output)


def settle(planned: Planned, plan: Plan, storage: Storage) -> None:
    """Of a sweep that was moved, write its new places; under its lock."""
    if planned.left is not None:
        storage.write(layout.PLAN, as_json(plan))
        follow(plan, planned.left)


def as_json(plan: Plan) -> bytes:
    return json.dumps(plan.to_json(), indent=1).encode()
