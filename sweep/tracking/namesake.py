"""Another sweep of this name in MLflow, found before the first run is created."""

import json
import sqlite3

import sqlalchemy

from sweep.core.addresses import hide_password, is_server, sqlite_path
from sweep.plan.plan import Plan
from sweep.study.claim import Claim, taken
from sweep.study.database import database_url
from sweep.tracking.mlflow_page import experiment_name, find_experiment
from sweep.tracking.mlflow_view import IDENTITY_TAG, OUTPUT_TAG, SWEEP_TAG
from sweep.tracking.server import ask_server
from trainables.base.errors import UserError

_PATIENCE_SECONDS = 5.0
_QUERY = sqlalchemy.text(
    "SELECT named.run_uuid, more.key, more.value FROM tags AS named "
    "JOIN runs ON runs.run_uuid = named.run_uuid AND runs.lifecycle_stage = 'active' "
    "JOIN experiments ON experiments.experiment_id = runs.experiment_id AND experiments.name = :experiment "
    "LEFT JOIN tags AS more ON more.run_uuid = named.run_uuid AND more.key IN (:identity, :output) "
    "WHERE named.key = :key AND named.value = :name"
)


def refuse_namesake(plan: Plan) -> None:
    """Raise `UserError` if the space's experiment has runs of another sweep of this name.

    An MLflow that cannot be asked is no obstacle: runs are found again by identity, so that two sweeps stay apart
    there whatever their names.
    """
    try:
        tags = _ask_server(plan) if is_server(plan.tracking_uri) else _ask_database(plan)
    except (OSError, ValueError, KeyError, sqlite3.Error, sqlalchemy.exc.SQLAlchemyError, ImportError):
        return
    foreign = [Claim(of.get(IDENTITY_TAG, ""), of.get(OUTPUT_TAG, "")) for of in tags]
    foreign = [claim for claim in foreign if claim.identity != plan.identity]
    if foreign:
        raise _taken(plan, max(foreign, key=lambda claim: len(claim.output)))


def _taken(plan: Plan, claim: Claim) -> UserError:
    return taken(plan, claim, f"MLflow at {hide_password(plan.tracking_uri)}")


def _ask_server(plan: Plan) -> list[dict[str, str]]:
    experiment = find_experiment(plan.tracking_uri, experiment_name(plan.space))
    if experiment is None:
        return []
    question = {"experiment_ids": [experiment], "filter": f"tags.`{SWEEP_TAG}` = '{plan.name}'", "max_results": 1000}
    content = json.dumps(question).encode()
    answer = ask_server(plan.tracking_uri, "runs/search", _PATIENCE_SECONDS, content)
    return [{tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in answer.get("runs", [])]


def _ask_database(plan: Plan) -> list[dict[str, str]]:
    file = sqlite_path(plan.tracking_uri)
    if file is not None and not file.exists():  # connecting would create it
        return []
    engine = sqlalchemy.create_engine(database_url(plan.tracking_uri), poolclass=sqlalchemy.NullPool)
    names = {"key": SWEEP_TAG, "name": plan.name, "identity": IDENTITY_TAG, "output": OUTPUT_TAG}
    runs: dict[str, dict[str, str]] = {}
    with engine.connect() as connection:
        if not sqlalchemy.inspect(connection).has_table("tags"):
            return []
        for run, key, value in connection.execute(_QUERY, {**names, "experiment": experiment_name(plan.space)}):
            runs.setdefault(run, {}).update({key: value} if key else {})
    return list(runs.values())
