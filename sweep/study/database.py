"""The database of a sweep's studies, SQLite or PostgreSQL, with retries through outages.

Every call waits until an outage is over. If a write may have succeeded, the retry checks first, so no study and no
trial is created twice. An SQLite file is in WAL mode only while its driver runs, so that a sweep at rest is one file.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweep.core.addresses import hide_password
from sweep.core.outage import Endurance
from trainables.base.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)  # not a line per study and trial

# SQLite's WAL mode needs locks and shared memory, which these do not provide between machines.
_NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs",
    "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.juicefs", "9p", "afs",
    "pvfs2", "orangefs",
}  # fmt: skip


_CLOSING_SECONDS = 2.0  # to wait for a reader of an SQLite file that is to leave WAL mode


class DatabaseAway(ConnectionError):
    """The study's database is unavailable for now: it restarts, its disk is full, its file is locked."""


class StudyDatabase:
    """The few calls that `sweep.study.study` needs, on an SQLAlchemy URL or an Optuna storage.

    After an outage `returned` is called first (see `Endurance`). `reading` promises not to write. Raises `UserError`
    where the database cannot be used at all, `OutageTooLong` where it does not recover.
    """

    def __init__(
        self, study_uri: str | BaseStorage, returned: Callable[[], None] = lambda: None, reading: bool = False
    ) -> None:
        self._storage = _open(study_uri, reading) if isinstance(study_uri, str) else study_uri
        self._written_file = None if reading or not isinstance(study_uri, str) else _file_of(study_uri)
        self._endurance = Endurance(
            "the study's database", lambda error: isinstance(error, DatabaseAway), returned=returned
        )

    def close(self) -> None:
        """Close every connection; a later call opens new ones. Of an SQLite file nothing but the file is left."""
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()
        if self._written_file is not None:
            _leave_wal(self._written_file)

    def find_study(self, name: str) -> int | None:
        return self._endurance.call(lambda: self._find_study(name))

    def create_study(self, name: str, lower: bool = False) -> int:
        """The id of a new study; `lower`: of its values less is better."""

        def create() -> int:
            direction = StudyDirection.MINIMIZE if lower else StudyDirection.MAXIMIZE
            return self._storage.create_new_study([direction], name)

        def find_or_create() -> int:
            found = self._find_study(name)
            return create() if found is None else found

        return self._endurance.call(create, again=find_or_create)

    def study_attributes(self, study_id: int) -> dict[str, Any]:
        return self._endurance.call(lambda: self._storage.get_study_user_attrs(study_id))

    def set_study_attribute(self, study_id: int, key: str, value: Any) -> None:
        self._endurance.call(lambda: self._storage.set_study_user_attr(study_id, key, value))

    def study_notes(self, study_id: int) -> dict[str, Any]:
        """What Optuna and its dashboard keep of a study for themselves."""
        return self._endurance.call(lambda: self._storage.get_study_system_attrs(study_id))

    def set_study_note(self, study_id: int, key: str, value: Any) -> None:
        self._endurance.call(lambda: self._storage.set_study_system_attr(study_id, key, value))

    def trials(self, study_id: int) -> list[FrozenTrial]:
        return self._endurance.call(lambda: self._storage.get_all_trials(study_id, deepcopy=False))

    def create_trial(self, study_id: int, trial: FrozenTrial) -> int:
        """The id of a new trial, which its user attribute "job" identifies."""

        def create() -> int:
            return self._storage.create_new_trial(study_id, trial)

        def find_or_create() -> int:
            existing = (t for t in self._storage.get_all_trials(study_id, deepcopy=False) if _job(t) == _job(trial))
            found = next(existing, None)
            return create() if found is None else found._trial_id

        return self._endurance.call(create, again=find_or_create)

    def set_attribute(self, trial_id: int, key: str, value: Any) -> None:
        self._endurance.call(lambda: self._storage.set_trial_user_attr(trial_id, key, value))

    def set_score(self, trial_id: int, step: int, score: float) -> None:
        self._endurance.call(lambda: self._storage.set_trial_intermediate_value(trial_id, step, score))

    def finish(self, trial_id: int, state: TrialState, values: Sequence[float] | None) -> None:
        def finish() -> None:
            self._storage.set_trial_state_values(trial_id, state, values)

        def unless_finished() -> None:
            try:
                finish()
            except UpdateFinishedTrialError:  # by the first attempt: there is only one driver
                return

        self._endurance.call(finish, again=unless_finished)

    def _find_study(self, name: str) -> int | None:
        try:
            return self._storage.get_study_id_from_name(name)
        except KeyError:
            return None


def _job(trial: FrozenTrial) -> Any:
    return trial.user_attrs["job"]


def _name_outages(context: sqlalchemy.engine.ExceptionContext) -> None:
    """Replace SQLAlchemy's exception, which Optuna would take for a deadlock and retry blindly."""
    error = context.sqlalchemy_exception
    away = isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError)
    if away and not context.is_pre_ping:
        raise DatabaseAway(str(context.original_exception)) from context.original_exception


# -- opening it ----------------------------------------------------------------------------------------


def database_url(study_uri: str) -> sqlalchemy.URL:
    """The parsed URL; PostgreSQL uses psycopg2 unless it names a driver. Raises `UserError` if it is malformed."""
    try:
        url = sqlalchemy.engine.make_url(study_uri)
    except sqlalchemy.exc.ArgumentError:
        raise UserError(
            f"study storage {hide_password(study_uri)!r} is no database URL: give sqlite:////absolute/study.db "
            "or postgresql://user@host/database"
        ) from None
    return url.set(drivername="postgresql+psycopg2") if url.drivername == "postgresql" else url


def sqlite_file(url: sqlalchemy.URL) -> Path | None:
    """The file an SQLite URL names; None for other databases."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _file_of(study_uri: str) -> Path | None:
    return sqlite_file(database_url(study_uri))


def _open(study_uri: str, reading: bool) -> RDBStorage:
    url = database_url(study_uri)
    path = sqlite_file(url)
    if path is None:
        storage = _connect(url, {"pool_pre_ping": True})
    else:
        _refuse_network_file_system(path)
        storage = _connect(url, {"connect_args": {"timeout": 60}})  # seconds a writer waits for another
        if not reading:
            sqlalchemy.event.listen(storage.engine, "connect", _tune_sqlite)
        storage.engine.dispose()  # existing connections are not tuned
    sqlalchemy.event.listen(storage.engine, "handle_error", _name_outages)
    return storage


def _connect(url: sqlalchemy.URL, engine_options: dict[str, Any]) -> RDBStorage:
    try:
        return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=engine_options)
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, RuntimeError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise UserError(f"cannot open the study storage {url} ({cause}): check --study-uri") from error


def _tune_sqlite(connection: Any, _: Any) -> None:
    """Readers never block the driver, and a commit survives its process without an fsync."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _leave_wal(file: Path) -> None:
    """Write SQLite's log into the file and delete it; later readers then make none.

    Where another process has the file open the log stays, empty, for the last of them to delete; no reason to fail.
    """
    deadline = time.monotonic() + _CLOSING_SECONDS
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        while True:
            try:
                connection.execute("PRAGMA journal_mode=DELETE")
                return
            except sqlite3.OperationalError:  # another connection reads it
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _refuse_network_file_system(path: Path) -> None:
    kind = file_system_of(path, _mounts())
    if kind in _NETWORK_FILE_SYSTEMS:
        raise UserError(
            f"the study's file {path} lies on a network file system ({kind}), where SQLite loses data: "
            "give --study-uri sqlite:////a/local/disk/study.db, or postgresql://user@host/database"
        )


def _mounts() -> list[tuple[str, str]]:
    """(mount point, type) of every mount; empty where the system has no /proc."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [(line.split()[1].replace("\\040", " "), line.split()[2]) for line in lines]


def file_system_of(path: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """The type of the deepest mount that contains `path`; a later mount hides an earlier one at the same point."""
    resolved = Path(os.path.realpath(path))  # also of links that run in circles
    holding = [(len(Path(point).parts), kind) for point, kind in mounts if resolved.is_relative_to(point)]
    return max(reversed(holding), key=lambda item: item[0])[1] if holding else None
