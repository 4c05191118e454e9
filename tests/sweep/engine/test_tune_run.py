"""The engine on a real Ray and a real SQLite file: same facts as the simulation, whatever dies on the way."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan
from benchmarks.simulation.simulated_trainable import (
    SimulatedTrainable,
    job_file,
    journal_of,
    rounds_trained,
    simulated_parameters,
)
from sweep.core.jobs import Job
from sweep.core.listener import Event, JobReported
from sweep.core.stopping import Interrupted, StopSignal, stop_on_signals
from sweep.engine import failures
from sweep.engine.failures import MAX_OWN_DEATHS
from sweep.engine.tune_run import run_sweep
from sweep.engine.watchdog import Patience
from sweep.plan.plan import Plan
from sweep.study.study import StudyStore
from tests.support import REPOSITORY
from tests.support.hunting import hunting

DRIVER = """
import sys
from sweep.machines.ray_session import ray_session
from benchmarks.simulation.simulated import simulated_plan
with ray_session(cpus=2):
    from sweep.engine.tune_run import run_sweep
    from sweep.study.study import StudyStore
    from benchmarks.simulation.simulated_trainable import SimulatedTrainable, simulated_parameters
    plan = simulated_plan(sys.argv[1], groups=("tera",), samples=2, seeds=1)
    parameters = simulated_parameters(sys.argv[2], seconds=0.2)
    run_sweep(plan, StudyStore(plan.study_uri, plan.name), parameters, trainable_cls=SimulatedTrainable)
"""


def _plan(folder: Path) -> Plan:
    return simulated_plan(f"sqlite:///{folder}/study.db", groups=("tera",), samples=2, seeds=1)


def _store(plan: Plan) -> StudyStore:
    return StudyStore(plan.study_uri, plan.name)


@pytest.fixture(scope="module")
def simulated() -> dict[str, tuple[Any, ...]]:
    plan = simulated_plan(groups=("tera",), samples=2, seeds=1)
    store = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, store).run()
    return facts(store, plan)


def test_a_sweep_through_tune_ends_as_the_simulation_does_although_a_worker_is_killed(
    ray_cluster: None, tmp_path: Path, simulated: dict[str, tuple[Any, ...]]
) -> None:
    killed = "tera/search/layer2/0003"
    job_file(tmp_path, killed, "kill").touch()
    plan = _plan(tmp_path)
    run_sweep(plan, _store(plan), simulated_parameters(tmp_path), trainable_cls=SimulatedTrainable)
    store = _store(plan)
    assert facts(store, plan) == simulated
    record = store.record(Job.parse(killed))
    assert record is not None
    assert record.attempt == 2
    assert rounds_trained(tmp_path, killed) == [2, 4, 6, 8]  # the killed worker's first round was not trained again
    assert set(record.reports[0].metrics) == {"score", "score_current"}


def test_a_job_that_raises_fails_with_its_reason_and_the_rest_goes_on(ray_cluster: None, tmp_path: Path) -> None:
    job_file(tmp_path, "tera/search/none/0000", "raise").touch()
    plan = _plan(tmp_path)
    run_sweep(plan, _store(plan), simulated_parameters(tmp_path), trainable_cls=SimulatedTrainable)
    store = _store(plan)
    record = store.record(Job("tera", "search", "none", 0))
    assert record is not None
    assert (record.state, record.attempt) == ("failed", 1)
    assert record.reason == "ValueError: this job cannot be trained"
    states = Counter(state for state, *_ in facts(store, plan).values())
    assert states["running"] == 0
    assert states["failed"] == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_job_that_ends_its_worker_every_time_fails_and_the_rest_goes_on(
    ray_cluster: None, tmp_path: Path, simulated: dict[str, tuple[Any, ...]], number: signal.Signals
) -> None:
    poison = Job("tera", "search", "none", 0)
    job_file(tmp_path, poison.path, "poison").write_text(str(number.value))
    plan = _plan(tmp_path)
    run_sweep(plan, _store(plan), simulated_parameters(tmp_path), trainable_cls=SimulatedTrainable)
    store = _store(plan)
    record = store.record(poison)
    assert record is not None
    assert record.reason is not None
    assert (record.state, record.attempt) == ("failed", MAX_OWN_DEATHS)
    assert number.name in record.reason
    states = Counter(state for state, *_ in facts(store, plan).values())
    assert states["failed"] == 1
    assert states.total() == len(simulated)


def test_a_job_whose_workers_are_killed_from_outside_before_its_first_round_does_not_fail(
    ray_cluster: None, tmp_path: Path, simulated: dict[str, tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prey = Job("tera", "search", "layer2", 3)
    kills = MAX_OWN_DEATHS + 1
    job_file(tmp_path, prey.path, "prey").write_text(str(kills))
    monkeypatch.setattr(failures, "_FIRST_PAUSE", 0.1)
    plan = _plan(tmp_path)
    with hunting(job_file(tmp_path, prey.path, "caught"), kills):
        run_sweep(plan, _store(plan), simulated_parameters(tmp_path), trainable_cls=SimulatedTrainable)
    assert facts(_store(plan), plan) == simulated
    record = _store(plan).record(prey)
    assert record is not None
    assert (record.attempt, record.deaths) == (kills + 1, ())


def test_a_job_that_hangs_is_killed_and_tried_again(
    ray_cluster: None, tmp_path: Path, simulated: dict[str, tuple[Any, ...]]
) -> None:
    hanging = "tera/search/layer2/0003"
    job_file(tmp_path, hanging, "hang").touch()
    plan, patience = _plan(tmp_path), Patience(rounds=20, least=15)
    parameters = simulated_parameters(tmp_path)
    run_sweep(plan, _store(plan), parameters, trainable_cls=SimulatedTrainable, patience=patience)
    assert facts(_store(plan), plan) == simulated
    record = _store(plan).record(Job.parse(hanging))
    assert record is not None
    assert record.attempt >= 2


class _CtrlC:
    """A user who interrupts after the third round."""

    def __init__(self) -> None:
        self.rounds = 0

    def hear(self, event: Event) -> None:
        self.rounds += isinstance(event, JobReported)
        if self.rounds == 3 and isinstance(event, JobReported):
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_leaves_jobs_running_in_the_study_and_the_next_start_finishes_them(
    ray_cluster: None, tmp_path: Path, simulated: dict[str, tuple[Any, ...]]
) -> None:
    plan = _plan(tmp_path)
    stop = StopSignal()
    with stop_on_signals(stop), pytest.raises(Interrupted, match="Ctrl-C"):
        run_sweep(plan, _store(plan), simulated_parameters(tmp_path), [_CtrlC()], SimulatedTrainable, stop)
    assert any(state == "running" for state, *_ in facts(_store(plan), plan).values())
    run_sweep(plan, _store(plan), simulated_parameters(tmp_path), trainable_cls=SimulatedTrainable)
    assert facts(_store(plan), plan) == simulated


def test_a_driver_killed_in_the_middle_loses_no_job_and_runs_none_twice(
    ray_cluster: None, tmp_path: Path, simulated: dict[str, tuple[Any, ...]]
) -> None:
    plan = _plan(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, plan.study_uri, str(tmp_path)], cwd=REPOSITORY, start_new_session=True
    ) as driver:
        while driver.poll() is None and not journal_of(tmp_path, "tera/search/layer1/0002"):
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
    assert driver.returncode == -signal.SIGKILL, "the driver ended before it could be killed"
    time.sleep(2)  # Ray takes its workers down when it misses their driver
    before = {path for path, (state, *_) in facts(_store(plan), plan).items() if state != "running"}
    assert before < set(simulated)
    run_sweep(plan, _store(plan), simulated_parameters(tmp_path), trainable_cls=SimulatedTrainable)
    assert facts(_store(plan), plan) == simulated
    for path in before:
        assert rounds_trained(tmp_path, path) == sorted(simulated[path][2])
