"""The job of an MLflow run, read from the database or server directly: importing MLflow takes seconds."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy

from sweep.core.addresses import HIDDEN, is_server
from sweep.stored.by_name import load_plan, sweep_names
from sweep.study.database import database_url, sqlite_file
from sweep.tracking.mlflow_page import ask_server
from sweep.tracking.mlflow_view import IDENTITY_TAG, JOB_TAG
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
    """
    if not _RUN_ID.fullmatch(run_id):
        return None
    for uri in _tracking_uris(base):
        tags = _tags(uri, run_id)
        if JOB_TAG in tags:
            sweep, _, job = tags[JOB_TAG].partition("/")
            return RunsJob(sweep, tags.get(IDENTITY_TAG, ""), job)
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
            places[load_plan(name, base).tracking_uri] = None
    yield from (uri for uri in places if uri != given and HIDDEN not in uri)


def _tags(uri: str, run_id: str) -> dict[str, str]:
    try:
        if not is_server(uri):
            return _ask_database(uri, run_id)
        tags = ask_server(uri, f"runs/get?run_id={run_id}", _PATIENCE_SECONDS)["run"]["data"]["tags"]
        return {tag["key"]: tag["value"] for tag in tags}
    except (OSError, sqlalchemy.exc.SQLAlchemyError, ValueError, KeyError):  # unreachable, or without this run
        return {}


def _ask_database(uri: str, run_id: str) -> dict[str, str]:
    url = database_url(uri)
    file = sqlite_file(url)
    if file is not None and not file.exists():  # connecting would create an empty one
        return {}
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    question = sqlalchemy.text("SELECT key, value FROM tags WHERE run_uuid = :run")
    with engine.connect() as connection:
        return {row.key: row.value for row in connection.execute(question, {"run": run_id})}
