"""One driver per sweep: a lock that is released when its holder dies.

For an SQLite study it is an `flock` on a file next to it (the file stays, the lock does not); in PostgreSQL an
advisory lock of the holder's connection. A second driver learns who holds it.
"""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy

from sweep.core.next_command import command_line
from sweep.core.stopping import Interrupted
from sweep.plan.plan import Plan
from sweep.study.database import DatabaseAway, database_url, sqlite_file
from trainables.base.errors import UserError
from trainables.base.locked import locked
from trainables.base.randomness import derive_seed

_TRY = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)")
_HOLDER = sqlalchemy.text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = :key"
)


@contextlib.contextmanager
def sweep_lock(plan: Plan) -> Iterator[Callable[[], None]]:
    """Hold the sweep's lock. Raises `UserError`, naming the process, if another driver holds it.

    Yields a function to call after the database was away, since advisory locks end with their connection: it takes
    the lock again, or raises `Interrupted` if another driver has it.
    """
    with contextlib.ExitStack() as stack:
        try:
            holder = _take(plan, stack)
        except DatabaseAway as error:
            raise UserError(f"cannot reach the study's database ({error}): check --study-uri") from error
        if holder is not None:
            raise UserError(
                f"sweep {plan.name!r} is already being driven by {holder}: wait for it, or stop it first "
                f"({command_line('status', plan.output)} shows how far it is); if that is another sweep of this "
                "name, choose another --name"
            )
        yield lambda: _take_again(plan, stack)


def _take(plan: Plan, stack: contextlib.ExitStack) -> str | None:
    """Take the lock until `stack` closes; returns the current holder if there is one."""
    path = sqlite_file(database_url(plan.study_uri))
    if path is None:
        return _take_in_postgresql(plan, stack)
    return _take_file(path.with_name(f"{path.name}.{plan.name}.lock"), stack)


def _take_again(plan: Plan, stack: contextlib.ExitStack) -> None:
    if sqlite_file(database_url(plan.study_uri)) is not None:
        return  # a file lock outlives an outage
    stack.close()
    holder = _take_in_postgresql(plan, stack)
    if holder == _this_process():
        raise DatabaseAway("it still holds the lock of a connection that broke")
    if holder is not None:
        raise Interrupted(f"{holder} has taken this sweep while the study's database was away")


def _take_file(path: Path, stack: contextlib.ExitStack) -> str | None:
    remedy = "give --study-uri sqlite:////a/local/disk/study.db, or postgresql://user@host/database"
    try:
        file = stack.enter_context(locked(path, remedy, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return _holder_in(path)
    file.truncate(0)
    file.write(json.dumps({"holder": _this_process()}))
    file.flush()
    return None


def _holder_in(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["holder"])
    except (OSError, ValueError):  # it holds the lock but has not written its name yet
        return "another process"


def _take_in_postgresql(plan: Plan, stack: contextlib.ExitStack) -> str | None:
    """Raises `DatabaseAway`."""
    engine = sqlalchemy.create_engine(
        database_url(plan.study_uri),
        poolclass=sqlalchemy.NullPool,
        connect_args={"application_name": _this_process()},
    )
    try:
        connection = stack.enter_context(engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
        key = {"key": derive_seed("sweep lock", plan.name)}
        if connection.execute(_TRY, key).scalar_one():
            return None
        return str(connection.execute(_HOLDER, key).scalar() or "another process")
    except sqlalchemy.exc.OperationalError as error:
        raise DatabaseAway(str(error.orig).strip().splitlines()[0]) from error


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"[:63]  # PostgreSQL keeps 63 characters
