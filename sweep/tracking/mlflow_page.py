"""A sweep in MLflow's own pages: the leaderboard view, descriptions, and the command and link that open them.

MLflow's run table opens unsorted and without metric columns. A "shared view" fixes that: an experiment tag
`mlflow.sharedViewState.<key>` holds columns, filter and order, and a link with `viewStateShareKey=<key>` opens the
table that way. Each sweep writes one such tag with its leaderboard view.
"""

import contextlib
import json
import shlex
import sqlite3
from typing import Any
from urllib.parse import quote

from sweep.core.addresses import hide_password, is_server, sqlite_path
from sweep.plan.plan import Plan
from sweep.tracking.mlflow_view import KIND_TAG, for_mlflow, own_runs
from sweep.tracking.server import ask_server, whole_address, without_user
from sweep.verdict.result import GroupResult, Result, group_name, records
from trainables.metrics.catalogue import METRICS

# The columns of the leaderboard view, in this order, with their widths in pixels.
_COLUMNS = {
    "tags.`verdict`": 110,
    "metrics.`score`": 100,
    "metrics.`score_low`": 100,
    "metrics.`score_high`": 100,
    "metrics.`gain`": 100,
    "metrics.`n_seeds`": 90,
}
_COST_COLUMNS = {"metrics.`parameters`": 110, "metrics.`mac_per_second`": 130, "metrics.`real_time_factor`": 130}
_PORT = 5000
_PATIENCE_SECONDS = 2.0


def experiment_name(space: str) -> str:
    return f"speech-sweep/{space}"


def sweep_page(plan: Plan) -> str:
    """The address of the sweep's leaderboard, if MLflow has it yet; else of MLflow. See `open_command`."""
    experiment = find_experiment(plan.tracking_uri, experiment_name(plan.space))
    return page_url(plan.tracking_uri, experiment, plan.key) if experiment else _server(plan.tracking_uri)


def open_command(tracking_uri: str, page: str) -> str:
    """The command to type: it opens `page`, or where no server runs yet starts the one that shows it."""
    if is_server(tracking_uri):
        return f"python -m webbrowser {shlex.quote(page)}"
    store = shlex.quote(for_mlflow(hide_password(tracking_uri)))
    return f"python -m mlflow ui --backend-store-uri {store} --port {_PORT}"


def page_url(tracking_uri: str, experiment_id: str, key: str) -> str:
    """The link to a sweep's leaderboard view, by its `Plan.key`."""
    query = f"workflowType=machine_learning&viewStateShareKey={quote(key)}"
    return f"{_server(tracking_uri)}/#/experiments/{experiment_id}/runs?{query}"


def find_experiment(tracking_uri: str, name: str) -> str | None:
    """The experiment's id; None if unknown. MLflow, which takes seconds to import, is needed for a server only."""
    try:
        if not is_server(tracking_uri):
            return _ask_file(tracking_uri, name)
        question = f"experiments/get-by-name?experiment_name={quote(name)}"
        return ask_server(whole_address(tracking_uri), question, _PATIENCE_SECONDS)["experiment"]["experiment_id"]
    except (OSError, sqlite3.Error, ValueError, KeyError):
        return None


def _ask_file(uri: str, name: str) -> str | None:
    file = sqlite_path(uri)
    if file is None:
        return None
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        row = database.execute("select experiment_id from experiments where name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def _server(tracking_uri: str) -> str:
    return without_user(tracking_uri).rstrip("/") if is_server(tracking_uri) else f"http://127.0.0.1:{_PORT}"


def experiment_tags(plan: Plan) -> dict[str, str]:
    """The leaderboard view of this sweep, and the kind of experiment, so that MLflow's page does not ask for it."""
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{plan.key}": json.dumps(_leaderboard_view(plan)),
    }


def _leaderboard_view(plan: Plan) -> dict[str, Any]:
    columns = _COLUMNS | (_COST_COLUMNS if len(plan.methods()) > 1 else {})
    return {
        "searchFilter": f"{own_runs(plan.name, plan.identity)} and tags.`{KIND_TAG}` = 'candidate'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": METRICS[plan.metric].lower,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": columns,
    }


def answer_texts(result: Result) -> dict[str, str]:
    """Each group's answer in a few words: {"tera": "winner layer2 1.900 (1.700 to 2.100)"}."""
    return {
        group_name(group["group"]): f"{group['verdict']} {group['leader']['label']} {_estimate(group)}"
        for group in result["groups"]
    }


def note(result: Result) -> str:
    """The answer as the sweep's description, in Markdown."""
    lines = [f"- {name}: {text}" for name, text in answer_texts(result).items()]
    levels = dict.fromkeys(f"{100 * (1 - group['alpha']):g} %" for group in result["groups"])
    return "\n".join([f"Decided by {result['metric']}; {', '.join(levels)} intervals.", "", *lines])


def _estimate(group: GroupResult) -> str:
    score, interval = group["score"], group["interval"]
    if score is None:
        return "without a score"
    return f"{score:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def table(result: Result) -> dict[str, Any]:
    """Every candidate in the layout that MLflow's table viewer reads (columns and rows of values)."""
    columns = ["group", "candidate", "verdict", "score", "low", "high", "gain", "seeds", "utterances", "failures"]
    return {"columns": columns, "data": [[row[name] for name in columns] for row in records(result)]}


def table_tags(path: str) -> dict[str, str]:
    """The run tag that makes MLflow's pages show an artifact as a table."""
    return {"mlflow.loggedArtifacts": json.dumps([{"path": path, "type": "table"}])}
