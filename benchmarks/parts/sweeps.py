"""Whole sweeps as users start them, ours and the stock script's: how long, how many core-seconds, what they leave."""

import contextlib
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
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
    killed: bool


def our_sweep(
    context: Context,
    name: str,
    *flags: str,
    killed_after: float = LIMIT,
    killed_when: Callable[[], bool] = lambda: False,
    cache: str = "",
) -> Swept:
    """`sweep/run.py` with these flags; killed after so many seconds, or when that says so, and then resumed.

    `cache`: the name of its cache folder, by default one of its own: nothing is found that was not computed here.
    """
    base = context.folder / "ours"
    started = ["--output", str(base), "--name", name, "--corpus", demo_corpus(context).uri, "--json", *flags]
    resumed = ["--output", str(base), "--resume", name, "--json"]
    cached = {"SPEECH_SWEEP_CACHE": str(context.folder / f"cache-{cache or name}")}
    command = [sys.executable, str(REPOSITORY / "sweep" / "run.py")]
    done, killed = _ended(context, name, command + started, command + resumed, cached, killed_after, killed_when)
    answer = json.loads(done.output.splitlines()[-1])
    leaders = {"/".join(each["group"].values()): each["leader"]["label"] for each in answer["groups"]}
    lost = answer["trials"]["failed"]
    return Swept(answer, leaders, lost, _open_runs(base / name), done.seconds, done.core_seconds, killed)


def stock_sweep(context: Context, name: str, *flags: str, killed_after: float = LIMIT) -> Swept:
    """benchmarks/stock/sweep.py; its flags are those of ours that it has."""
    folder, corpus = context.folder / "stock" / name, demo_corpus(context).uri
    command = [sys.executable, "-m", "benchmarks.stock.sweep", str(folder), "--corpus", corpus, *flags]
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as short:
        done, killed = _ended(context, f"stock-{name}", command, command, {"RAY_TMPDIR": short}, killed_after)
    answer = json.loads(done.output.splitlines()[-1])
    leaders = {upstream: found["leader"] for upstream, found in answer.items()}
    lost = sum(found["lost"] for found in answer.values())
    return Swept(answer, leaders, lost, _open_runs(folder), done.seconds, done.core_seconds, killed)


def _ended(
    context: Context,
    name: str,
    first: list[str],
    again: list[str],
    environment: dict[str, str],
    killed_after: float,
    killed_when: Callable[[], bool] = lambda: False,
) -> tuple[processes.Finished, bool]:
    """The end of `first`, or, where that was killed, of `again` with the cost of both; and whether it was."""
    known = {key: value for key, value in os.environ.items() if key not in _PYTHON_MARKS}
    whole = {**known, **environment}
    context.say(name)
    done = processes.run(first, context.folder / f"{name}-1", killed_after, whole, killed_when)
    killed = done.status is None
    if killed:
        context.say(f"{name}: killed after {done.seconds:.0f} s, started again")
        second = processes.run(again, context.folder / f"{name}-2", LIMIT, whole)
        seconds, core_seconds = done.seconds + second.seconds, done.core_seconds + second.core_seconds
        done = processes.Finished(second.status, second.output, second.errors, seconds, core_seconds)
    if done.status != 0:
        raise RuntimeError(f"{name} ended with {done.status}:\n{done.errors[-1500:]}\n{done.output[-300:]}")
    return done, killed


def _open_runs(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return int(database.execute("SELECT COUNT(*) FROM runs WHERE status = 'RUNNING'").fetchone()[0])
