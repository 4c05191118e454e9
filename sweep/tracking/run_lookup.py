"""The job of an MLflow run, read from the database or server directly: importing MLflow takes seconds."""

import contextlib
import os
import re
from collections.abc import Iterator

import sqlalchemy

from sweep.core.addresses import HIDDEN, is_server
from sweep.stored.by_name import load_plan, sweep_names
from sweep.study.database import database_url, sqlite_file
from sweep.tracking.mlflow_page import ask_server
from sweep.tracking.mlflow_view import JOB_TAG
from trainables.base.errors import UserError

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_PATIENCE_SECONDS = 10.0


def job_of_run(run_id: str, base: str) -> str | None:
    """The run's job tag: "NAME", "NAME/candidates/tera/layer2" or "NAME/tera/final/layer2/seed-1001".

    Searches MLFLOW_TRACKING_URI and every tracking URI of the sweeps in `base`; None if it is in none of them.
    """
    if not _RUN_ID.fullmatch(run_id):
        return None
    found = (_tag(uri, run_id) for uri in _tracking_uris(base))
    return next((tag for tag in found if tag), None)


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


def _tag(uri: str, run_id: str) -> str | None:
    try:
        if not is_server(uri):
            return _ask_database(uri, run_id)
        tags = ask_server(uri, f"runs/get?run_id={run_id}", _PATIENCE_SECONDS)["run"]["data"]["tags"]
        return next((tag["value"] for tag in tags if tag["key"] == JOB_TAG), None)
    except (OSError, sqlalchemy.exc.SQLAlchemyError, ValueError, KeyError):  # unreachable, or without this run
        return None


def _ask_database(uri: str, run_id: str) -> str | None:
    url = database_url(uri)
    file = sqlite_file(url)
    if file is not None and not file.exists():  # connecting would create an empty one
        return None
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    question = sqlalchemy.text("SELECT value FROM tags WHERE run_uuid = :run AND key = :key")
    with engine.connect() as connection:
        return connection.execute(question, {"run": run_id, "key": JOB_TAG}).scalar_one_or_none()
