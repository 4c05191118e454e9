"""Reads a stored sweep: its plan, its result, its rows, its study.

Where something is missing, `UserError` says what to type. Imports nothing heavy: pandas and Optuna are loaded with
rows and trials.
"""

import argparse
import contextlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from sweep.core.addresses import hide_password, known_secrets, restore_secrets
from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.by_name import join, load_plan, name_and_base, resolve_base, sweep_name
from sweep.verdict.result import Result, group_name
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

    from sweep.study.study import StudyStore


def base_of(output: str | None) -> str:
    """The folder or s3:// prefix that `output` means; by default SPEECH_SWEEP_OUTPUT, else ./sweeps."""
    return resolve_base(output or os.environ.get("SPEECH_SWEEP_OUTPUT") or "sweeps", Path.cwd())


def stored_sweep(name: str, output: str | None = None) -> tuple[Plan, Storage]:
    """The sweep's plan and files; `output` is run.py's. The `UserError` of an unknown sweep lists the known ones."""
    name, base = name_and_base(name, base_of(output), Path.cwd())
    return load_plan(name, base), Storage(join(base, sweep_name(name)))


def read_result(plan: Plan, storage: Storage, metric: str | None = None) -> Result:
    """The stored result; in another `metric` the leaders stay those that the deciding one named."""
    try:
        result = json.loads(storage.read(layout.RESULT))
    except FileNotFoundError:
        raise UserError(f"sweep {plan.name!r} has no result yet: see {command_line('status', storage.uri)}") from None
    except ValueError:
        result = None
    if not _is_result(result):
        raise UserError(
            f"{storage.uri}/{layout.RESULT} is damaged: delete it and run {command_line('run --resume', storage.uri)}"
        )
    if "output" in result:  # as they are now, should the sweep have been moved
        result["output"] = plan.output
    if "tracking_uri" in result:
        result["tracking_uri"] = hide_password(plan.tracking_uri)
    metric = metric and plan.held(metric)
    if metric in (None, result["metric"]):
        return result
    from sweep.stored.other_metric import in_metric  # the statistics, which need scipy

    return in_metric(result, plan, read_rows(plan, storage, metric=metric), str(metric))


def is_answered(plan: Plan, storage: Storage) -> bool:
    """Whether there is a result and it covers all groups of the plan.

    Only groups can be added to a finished sweep: more trials and seeds are refused once test was opened.
    Raises `UserError` where the result is damaged.
    """
    if not storage.exists(layout.RESULT):
        return False
    covered = {group_name(group["group"]) for group in read_result(plan, storage)["groups"]}
    return covered == {group.name for group in plan.groups}


def _is_result(found: Any) -> TypeGuard[Result]:
    """Whether it has the keys that every reader of a result relies on."""
    groups = found.get("groups") if isinstance(found, dict) else None
    if not isinstance(groups, list) or not isinstance(found.get("metric"), str):
        return False
    return all(isinstance(group, dict) and _names_leader(group) for group in groups)


def _names_leader(group: dict[str, Any]) -> bool:
    leader = group.get("leader")
    return isinstance(group.get("group"), dict) and isinstance(leader, dict) and "label" in leader


def read_rows(plan: Plan, storage: Storage, split: str = "test", metric: str | None = None) -> "pd.DataFrame":
    """One row per finalist, utterance and metric, those of the noisy input included; of one `metric` or of all."""
    path = layout.rows_path(split)
    try:
        content = storage.read(path)
    except FileNotFoundError:
        raise UserError(
            f"sweep {plan.name!r} has no {split} scores yet: see {command_line('status', storage.uri)}"
        ) from None
    if metric is None:
        return _frame(content, storage, path)
    rows = _frame(content, storage, path, filters=[("metric", "==", metric)])
    if rows.empty:
        held = sorted(set(_frame(content, storage, path, columns=["metric"])["metric"]))
        raise UserError(f"--metric {metric}: sweep {plan.name!r} was not scored with it; it has {', '.join(held)}")
    return rows


def _frame(content: bytes, storage: Storage, path: str, **what: Any) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(content), **what)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{storage.uri}/{path} is damaged: delete it and {layout.RESULT} in the folder above, and run "
            f"{command_line('run --resume', storage.uri)}, which writes both again from each job's own scores"
        ) from error


def with_study_password(plan: Plan) -> Plan:
    """The plan with its study's whole address: passwords are never stored, SPEECH_SWEEP_STUDY_URI has them.

    Raises `UserError` also if the study is a file that is not on this machine.
    """
    from sweep.study.database import database_url, sqlite_file

    known = known_secrets(argparse.Namespace(), os.environ)
    uri = restore_secrets(plan.name, {"study_uri": plan.study_uri}, known)["study_uri"]
    file = sqlite_file(database_url(uri))
    if file is not None and not file.exists():
        raise UserError(
            f"sweep {plan.name!r} has no study in {file}: it has not started yet, or ran on another machine"
        )
    return replace(plan, study_uri=uri)


@contextlib.contextmanager
def open_study(plan: Plan) -> Iterator["StudyStore"]:
    """The sweep's study, for reading. Raises `UserError`."""
    from sweep.study.study import StudyStore

    with contextlib.closing(StudyStore.of(with_study_password(plan), reading=True)) as study:
        yield study
