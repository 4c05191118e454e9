"""An MLflow experiment as a table: one value a run, its candidate and seed from tags, parameters or the run's name."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sweep.core.addresses import hide_password, sqlite_path
from sweep.judging.columns import Asked, listed, plain, role_of
from sweep.judging.file_table import FileTable, from_columns
from sweep.judging.sources import without_seed
from sweep.tracking.mlflow_view import open_client
from trainables.base.errors import UserError

_PAGE = 1000
_UNDER_WAY = ("RUNNING", "SCHEDULED")
_RUN_NAME = "run name"


def read_experiment(uri: str, experiment: str, asked: Asked) -> tuple[FileTable, Asked]:
    """A row per run with candidate, seed and value, and how to read it.

    A run that failed, or ended without the metric, is a failed score; one under way is left out and said. Raises
    `UserError` where the experiment, the metric or the seed cannot be found, or two runs claim one place.
    """
    if not asked.metric:
        raise UserError("--mlflow needs --metric NAME: the metric of each run to compare")
    name = f"experiment {experiment!r}"
    runs = list(_runs(uri, experiment))
    finished = [run for run in runs if run.info.status not in _UNDER_WAY]
    scored = [run for run in finished if asked.metric in run.data.metrics]
    if not scored:
        known = sorted({metric for run in runs for metric in run.data.metrics})
        raise UserError(f"{name}: no ended run has the metric {asked.metric!r}; {_there_are(known, 'metrics')}")
    candidate = _field(name, scored, "candidate", asked.candidate)
    seed = _field(name, scored, "seed", asked.seed)
    if seed is None:
        raise UserError(
            f"{name}: no run has a tag or parameter for its seed: name it with --seed; "
            f"{_there_are(sorted(_fields(scored)), 'tags and parameters')}"
        )
    fields = {"candidate": candidate or _RUN_NAME, "seed": seed, "group": asked.group}
    rows, places, skipped = [], dict[tuple[str, ...], str](), 0
    for run in finished:
        where = {role: _value(run, field) for role, field in fields.items() if field}
        missing = [f"{role} ({fields[role]})" for role, value in where.items() if value is None]
        if missing and run not in scored:
            skipped += 1  # a parent run, or one of another kind
            continue
        if missing:
            raise UserError(
                f"{name}, run {run.info.run_id}: it has {asked.metric} but no {missing[0]}: tag it, or delete it"
            )
        place = tuple(str(value) for value in where.values())
        if place in places:
            shown = ", ".join(f"{role} {value}" for role, value in where.items())
            raise UserError(f"{name}: runs {places[place]} and {run.info.run_id} both have {shown}: delete one of them")
        places[place] = run.info.run_id
        done = run in scored and run.info.status == "FINISHED"
        rows.append({**where, "value": run.data.metrics[asked.metric] if done else float("nan")})
    notes = _notes(runs, finished, skipped, sum(row["value"] != row["value"] for row in rows))
    table = from_columns(name, {role: [row[role] for row in rows] for role in rows[0]})
    read = f"MLflow: candidate={fields['candidate']}, seed={seed}" + (f", group={asked.group}" if asked.group else "")
    how = Asked(
        candidate="candidate", seed="seed", group="group" if asked.group else None, value="value", metric=asked.metric
    )
    return FileTable(name, table.frame, notes=(read, *notes)), how


def _runs(uri: str, experiment: str) -> Iterator[Any]:
    file = sqlite_path(uri)
    if (file is not None and not file.is_file()) or ("://" not in uri and not Path(uri.removeprefix("file:")).is_dir()):
        raise UserError(f"--mlflow {uri}: no such file; give the tracking URI of your server or database")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # reading changes nothing in an old folder of runs
    try:
        client = open_client(uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            known = [each.name for each in client.search_experiments(max_results=_PAGE)]
            raise UserError(f"--experiment {experiment!r}: there is none; {_there_are(sorted(known), 'experiments')}")
        page = None
        while True:
            answer = client.search_runs([found.experiment_id], max_results=_PAGE, page_token=page)
            yield from answer
            page = answer.token
            if not page:
                return
    except UserError:
        raise
    except Exception as error:  # MLflow's own, those of its stores and plug-ins
        line = hide_password(" ".join(str(error).split()), uri)[:160]
        raise UserError(f"--mlflow {hide_password(uri)}: could not be asked ({line})") from error


def _there_are(names: Sequence[str], what: str) -> str:
    return f"there are {what} {listed(names)}" if names else f"there are no {what}"


def _fields(runs: Sequence[Any]) -> Counter[str]:
    """How many of the runs have each tag or parameter."""
    return Counter(
        field for run in runs for field in {**run.data.params, **run.data.tags} if not field.startswith("mlflow.")
    )


def _field(name: str, runs: Sequence[Any], role: str, asked: str | None) -> str | None:
    """The tag or parameter that all `runs` have for a role: the one asked for, else one of a usual name."""
    counts = _fields(runs)
    if asked == _RUN_NAME or (asked is not None and counts[asked]):
        return asked
    if asked is not None:
        raise UserError(f"--{role} {asked}: {name} has no such tag or parameter; {_there_are(sorted(counts), 'these')}")
    usual = [field for field, count in counts.items() if count == len(runs) and plain(field) in role_of(role)]
    if len(usual) > 1:
        raise UserError(f"{name}: {listed(sorted(usual))} could each be the {role}: choose with --{role}")
    return usual[0] if usual else None


def _value(run: Any, field: str) -> str | None:
    if field == _RUN_NAME:
        return without_seed(run.info.run_name or run.info.run_id)[0]
    found = {**run.data.params, **run.data.tags}.get(field)
    return None if found is None else str(found)


def _notes(runs: Sequence[Any], finished: Sequence[Any], skipped: int, failed: int) -> list[str]:
    counted = {
        "run(s) under way left out": len(runs) - len(finished),
        "run(s) without the metric, candidate or seed left out": skipped,
        "run(s) failed or ended without the metric: failed scores": failed,
    }
    return [f"{count} {what}" for what, count in counted.items() if count]
