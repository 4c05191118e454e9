"""What a sweep has left behind, read again: its plan, its answer, its rows, its study.

Everything raises `UserError`, saying what to type, where it is not there. Imports nothing heavy: pandas and
Optuna are loaded when rows and trials are asked for.
"""

import argparse
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.command_lines import command_line
from sweep.plan import Plan
from sweep.planning import join, load_plan, resolve_base, sweep_name
from sweep.secret_uris import known_secrets, restore_secrets
from sweep.storage import Storage
from trainables.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from sweep.study import StudyStore

RESULT_FILE = "result.json"


def default_base() -> str:
    """Where sweeps lie unless something else is said."""
    return os.environ.get("SPEECH_SWEEP_OUTPUT") or "sweeps"


def base_of(output: str | None) -> str:
    """The folder or s3:// prefix that `output` means, or the default one."""
    return resolve_base(output or default_base(), Path.cwd())


def stored_sweep(name: str, output: str | None = None) -> tuple[Plan, Storage]:
    """The sweep's plan and files; `output` is where run.py put it. The error names the known sweeps."""
    base = base_of(output)
    return load_plan(name, base), Storage(join(base, sweep_name(name)))


def read_result(plan: Plan, storage: Storage, metric: str | None = None) -> dict[str, Any]:
    """The stored answer; in another `metric` it keeps the leaders that the deciding one named."""
    try:
        result = json.loads(storage.read(RESULT_FILE))
    except FileNotFoundError:
        raise UserError(
            f"sweep {plan.name!r} has no result yet: see {command_line('status.py', storage.uri)}"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{storage.uri}/{RESULT_FILE} is damaged: delete it and run {command_line('run.py --resume', storage.uri)}"
        ) from error
    if metric in (None, result["metric"]):
        return result
    from sweep.other_metric import in_metric  # the statistics, which need scipy

    return in_metric(result, plan, storage, str(metric))


def read_rows(plan: Plan, storage: Storage, split: str = "test", metric: str | None = None) -> "pd.DataFrame":
    """One row per finalist, utterance and metric, those of the noisy input included; of one `metric` or of all."""
    import pandas as pd

    try:
        content = storage.read(f"results/rows-{split}.parquet")
    except FileNotFoundError:
        raise UserError(
            f"sweep {plan.name!r} has no {split} scores yet: see {command_line('status.py', storage.uri)}"
        ) from None
    if metric is None:
        return pd.read_parquet(io.BytesIO(content))
    rows = pd.read_parquet(io.BytesIO(content), filters=[("metric", "==", metric)])
    if rows.empty:
        held = sorted(set(pd.read_parquet(io.BytesIO(content), columns=["metric"])["metric"]))
        raise UserError(
            f"--metric {metric}: sweep {plan.name!r} was not scored with it; it has {', '.join(held)}"
        )
    return rows


def with_study_password(plan: Plan) -> Plan:
    """The plan with its study's whole address: a password is stored nowhere, SPEECH_SWEEP_STUDY_URI has it.

    Raises `UserError` also where a study that lies in a file has none on this machine.
    """
    from sweep.study_database import database_url, sqlite_file

    known = known_secrets(argparse.Namespace(), os.environ)
    uri = restore_secrets(replace(plan, tracking_uri=""), known).study_uri
    file = sqlite_file(database_url(uri))
    if file is not None and not file.exists():
        raise UserError(
            f"sweep {plan.name!r} has no study in {file}: it has not started yet, or ran on another machine"
        )
    return replace(plan, study_uri=uri)


def open_study(plan: Plan) -> "StudyStore":
    """The sweep's study, for reading."""
    from sweep.study import StudyStore

    return StudyStore(with_study_password(plan).study_uri, plan.name)
