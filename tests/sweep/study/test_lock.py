"""One driver per sweep; the lock of a dead one is free."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.postgres_server import PostgresServer
from benchmarks.simulation.simulated import simulated_plan
from sweep.core.stopping import Interrupted
from sweep.plan.plan import Plan
from sweep.study.lock import sweep_lock
from tests.support import REPOSITORY
from trainables.base.errors import UserError

HOLDER = """
import sys, time
from sweep.study.lock import sweep_lock
from benchmarks.postgres_server import PostgresServer
from benchmarks.simulation.simulated import simulated_plan
with sweep_lock(simulated_plan(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def plan(study_uri: str) -> Plan:
    return simulated_plan(study_uri)


def test_a_second_driver_learns_who_holds_the_sweep(plan: Plan) -> None:
    with sweep_lock(plan), pytest.raises(UserError, match=f"already being driven by process {os.getpid()} "):
        sweep_lock(plan).__enter__()
    with sweep_lock(plan):
        pass


def test_other_sweeps_in_the_same_database_are_free(plan: Plan, study_uri: str) -> None:
    another = simulated_plan(study_uri, name="another")
    with (
        sweep_lock(plan),
        sweep_lock(another),
        pytest.raises(UserError, match="'another' is already being driven"),
    ):
        sweep_lock(another).__enter__()


@contextlib.contextmanager
def _another_driver(study_uri: str) -> Iterator[int]:
    """The id of a process that holds the sweep, and is killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, study_uri], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()


def test_a_killed_driver_holds_nothing(plan: Plan, study_uri: str) -> None:
    with (
        _another_driver(study_uri) as pid,
        pytest.raises(UserError, match=f"already being driven by process {pid} on"),
    ):
        sweep_lock(plan).__enter__()
    with sweep_lock(plan):
        pass


def test_a_driver_that_lost_the_sweep_to_another_while_the_database_was_away_stops(tmp_path: Path) -> None:
    database = PostgresServer(tmp_path)
    database.start()
    try:
        with sweep_lock(simulated_plan(database.uri)) as take_again:
            database.kill()
            database.begin()
            with (
                _another_driver(database.uri) as pid,
                pytest.raises(Interrupted, match=f"process {pid} .* taken"),
            ):
                take_again()
    finally:
        database.close()
