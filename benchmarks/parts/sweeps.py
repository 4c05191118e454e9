"""Whole sweeps as users start them, ours and the stock script's: how long, how many core-seconds, what they leave."""

import contextlib
import json
import os
import sqlite3
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import processes
from benchmarks.harness.part import Context
from benchmarks.harness.peers import REPOSITORY
from benchmarks.parts.demo import demo_corpus

STOCK = "Ray Tune, OptunaSearch, ASHA, MLflow's callback"
LIMIT = 1800.0  # seconds of one sweep
_PYTHON_MARKS = ("PYTHONDONTWRITEBYTECODE",)


@dataclass(frozen=True)
class Swept:
    """A sweep that has ended. `seconds` and `core_seconds` are sums over all its starts."""

    answers: dict[str, Any]  # what it printed
    leaders: dict[str, str]
    lost: int  # trials that have no result
    open_runs: int  # of MLflow, in the state RUNNING
    seconds: float
    core_seconds: float


def our_sweep(context: Context, name: str, *flags: str, killed_after: float | None = None, cache: str = "") -> Swept:
    """`sweep/run.py` with these flags; killed after so many seconds and resumed, where that is asked for.

    `cache`: the name of its cache folder, by default one of its own: nothing is found that was not computed here.
    """
    base = context.folder / "ours"
    started = ["--output", str(base), "--name", name, "--corpus", demo_corpus(context).uri, "--json", *flags]
    resumed = ["--output", str(base), "--resume", name, "--json"]
    cached = {"SPEECH_SWEEP_CACHE": str(context.folder / f"cache-{cache or name}")}
    command = [sys.executable, str(REPOSITORY / "sweep" / "run.py")]
    done = _ended(context, name, command + started, command + resumed, cached, killed_after)
    answer = json.loads(done.output.splitlines()[-1])
    leaders = {"/".join(each["group"].values()): each["leader"]["label"] for each in answer["groups"]}
    lost = answer["trials"]["failed"]
    return Swept(answer, leaders, lost, _open_runs(base / name), done.seconds, done.core_seconds)


def stock_sweep(context: Context, name: str, *flags: str, killed_after: float | None = None) -> Swept:
    """benchmarks/stock/sweep.py; its flags are those of ours that it has."""
    folder, corpus = context.folder / "stock" / name, demo_corpus(context).uri
    command = [sys.executable, "-m", "benchmarks.stock.sweep", str(folder), "--corpus", corpus, *flags]
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as short:
        done = _ended(context, f"stock-{name}", command, command, {"RAY_TMPDIR": short}, killed_after)
    answer = json.loads(done.output.splitlines()[-1])
    leaders = {upstream: found["leader"] for upstream, found in answer.items()}
    lost = sum(found["lost"] for found in answer.values())
    return Swept(answer, leaders, lost, _open_runs(folder), done.seconds, done.core_seconds)


def _ended(
    context: Context,
    name: str,
    first: list[str],
    again: list[str],
    environment: dict[str, str],
    killed_after: float | None,
) -> processes.Finished:
    """The end of `first`; where it is killed on the way, that of `again`, with the cost of both."""
    known = {key: value for key, value in os.environ.items() if key not in _PYTHON_MARKS}
    whole = {**known, **environment}
    context.say(name)
    done = processes.run(first, context.folder / f"{name}-1", killed_after or LIMIT, whole)
    if killed_after is not None and done.status is None:
        context.say(f"{name}: killed after {done.seconds:.0f} s, started again")
        second = processes.run(again, context.folder / f"{name}-2", LIMIT, whole)
        seconds, core_seconds = done.seconds + second.seconds, done.core_seconds + second.core_seconds
        done = processes.Finished(second.status, second.output, second.errors, seconds, core_seconds)
    if done.status != 0:
        raise RuntimeError(f"{name} ended with {done.status}:\n{done.errors[-1500:]}\n{done.output[-300:]}")
    return done


def _open_runs(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return int(database.execute("SELECT COUNT(*) FROM runs WHERE status = 'RUNNING'").fetchone()[0])
