"""The job of an MLflow run, from the databases and servers that a user's sweeps are tracked in."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy

from sweep.core.addresses import hide_password, is_server
from sweep.stored.by_name import load_plan, sweep_names
from sweep.study.database import database_url, sqlite_file
from sweep.tracking.mlflow_view import IDENTITY_TAG, JOB_TAG
from sweep.tracking.server import REMEDY, ask_server, whole_address
from trainables.base.errors import UserError

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_PATIENCE_SECONDS = 10.0


class RunsJob(NamedTuple):
    """Whose run it is, and what of."""

    sweep: str
    identity: str  # of the sweep; "" where an earlier version ran it
    job: str  # "" for the sweep itself, "candidates/tera/layer2" or "tera/final/layer2/seed-1001"


def job_of_run(run_id: str, base: str) -> RunsJob | None:
    """What the run's tags say.

    Searches MLFLOW_TRACKING_URI and every tracking URI of the sweeps in `base`; None if it is in none of them.

    Raises:
        UserError: it was not found, and one of them could not be asked.
    """
    if not _RUN_ID.fullmatch(run_id):
        return None
    refused = []
    for uri in _tracking_uris(base):
        try:
            tags = _tags(uri, run_id)
        except (OSError, sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
            refused.append(f"{hide_password(uri)} ({_one_line(error, uri)})")
            continue
        if JOB_TAG in tags:
            sweep, _, job = tags[JOB_TAG].partition("/")
            return RunsJob(sweep, tags.get(IDENTITY_TAG, ""), job)
    if refused:
        raise UserError(f"no MLflow run {run_id} found, and {', '.join(refused)} could not be asked: {REMEDY}")
    return None


def sweep_of_run(run: RunsJob, base: str) -> str | None:
    """The folder in `base` that holds the run's own sweep; one of its name may be another."""
    for folder in sweep_names(base):
        with contextlib.suppress(UserError):  # a plan that this version cannot read
            plan = load_plan(folder, base)
            if (plan.name, plan.identity) == (run.sweep, run.identity):
                return folder
    return None


def _tracking_uris(base: str) -> Iterator[str]:
    """Each once."""
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given:
        yield given
    places: dict[str, None] = {}
    for name in sweep_names(base):
        with contextlib.suppress(UserError):  # a plan that this version cannot read
            places[whole_address(load_plan(name, base).tracking_uri)] = None
    yield from (uri for uri in places if uri != given)


def _tags(uri: str, run_id: str) -> dict[str, str]:
    """Empty without such a run. Raises OSError, SQLAlchemyError or ValueError where that is not known."""
    if not is_server(uri):
        return _ask_database(uri, run_id)
    try:
        tags = ask_server(uri, f"runs/get?run_id={run_id}", _PATIENCE_SECONDS)["run"]["data"]["tags"]
        return {tag["key"]: tag["value"] for tag in tags}
    except (FileNotFoundError, KeyError):  # without this run, or its tags
        return {}


def _one_line(error: Exception, uri: str) -> str:
    text = str(getattr(error, "orig", None) or error)
    return hide_password(" ".join(text.split()), uri)[:200] or type(error).__name__


def _ask_database(uri: str, run_id: str) -> dict[str, str]:
    url = database_url(uri)
    file = sqlite_file(url)
    if file is not None and not file.exists():  # connecting would create an empty one
        return {}
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    question = sqlalchemy.text("SELECT key, value FROM tags WHERE run_uuid = :run")
    with engine.connect() as connection:
        return {row.key: row.value for row in connection.execute(question, {"run": run_id})}
