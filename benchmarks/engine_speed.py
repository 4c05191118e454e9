"""The cost of a trial and a report, and the growth of the driver's memory, with nothing to train.

python -m benchmarks.engine_speed memory --groups 5 --trials 2000     no Ray, study in memory
python -m benchmarks.engine_speed ray --trials 10000 --rounds 2       through Ray Tune, study in PostgreSQL

`--trials` counts the search trials of each group; finalists come on top. `--rounds` is the budget of a job. The cost
of every 1,000 trials is printed on the way, so that one run shows whether it grows.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from optuna.storages import InMemoryStorage

from benchmarks.simulation.known_world import ROUND_STEPS, ROUNDS, world_plan, world_score
from benchmarks.simulation.simulated import Simulation
from sweep.core.listener import Event, JobEnded
from sweep.plan.plan import Plan
from sweep.study.study import JobRecord, StudyStore

_STRETCH = 1000  # trials


class Stretches:
    """Prints a line after every `_STRETCH` trials."""

    def __init__(self) -> None:
        self._ended = 0
        self._begin, self._begin_cpu = time.perf_counter(), time.process_time()

    def hear(self, event: Event) -> None:
        if not isinstance(event, JobEnded):
            return
        self._ended += 1
        if self._ended % _STRETCH:
            return
        now, now_cpu = time.perf_counter(), time.process_time()
        each, each_cpu = (now - self._begin) / _STRETCH, (now_cpu - self._begin_cpu) / _STRETCH
        print(
            f"up to {self._ended}: {1000 * each:.1f} ms a trial, CPU {1000 * each_cpu:.1f} ms, {_resident():.0f} MiB",
            flush=True,
        )
        self._begin, self._begin_cpu = now, now_cpu


class TimedStore(StudyStore):
    """Adds up the time spent in reports."""

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.reports = 0
        self.seconds = 0.0

    def report(self, *what: Any) -> Any:
        begin = time.perf_counter()
        recorded = super().report(*what)
        self.seconds += time.perf_counter() - begin
        self.reports += recorded is not None
        return recorded


def in_memory(plan: Plan) -> TimedStore:
    store = TimedStore(InMemoryStorage(), plan.name)
    Simulation(plan, store, workers=16, score=world_score, listeners=(Stretches(),)).run()
    return store


def through_ray(plan: Plan) -> TimedStore:
    from benchmarks.postgres_server import PostgresServer
    from benchmarks.simulation.simulated_trainable import SimulatedTrainable, simulated_parameters
    from sweep.engine.tune_run import run_sweep
    from sweep.machines.ray_session import ray_session

    with tempfile.TemporaryDirectory() as folder:
        database = PostgresServer(Path(folder))
        database.start()
        try:
            with ray_session():
                store = TimedStore(database.uri, plan.name)
                parameters = simulated_parameters(folder)
                run_sweep(plan, store, parameters, [Stretches()], trainable_cls=SimulatedTrainable)
                return store
        finally:
            database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=["memory", "ray"])
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    steps = {"steps": arguments.rounds * ROUND_STEPS}
    plan = world_plan(arguments.groups, seeds=(1001,), **steps)
    candidates = len(plan.groups[0].candidates)
    plan = replace(plan, samples=-(-arguments.trials // candidates))
    before, begin, begin_cpu = _resident(), time.perf_counter(), time.process_time()
    store = in_memory(plan) if arguments.where == "memory" else through_ray(plan)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    _print(store.all_records(plan), store, seconds, cpu, before)


def _print(records: list[JobRecord], store: TimedStore, seconds: float, cpu: float, resident_before: float) -> None:
    assert all(record.ended for record in records)
    print(f"{len(records)} trials, {store.reports} reports: {seconds:.1f} s, {cpu:.1f} s of the driver's CPU")
    print(f"per trial  {1000 * seconds / len(records):.1f} ms, CPU {1000 * cpu / len(records):.1f} ms")
    print(f"per report {1000 * store.seconds / store.reports:.2f} ms in the study")
    print(f"driver     {_resident():.0f} MiB resident, {resident_before:.0f} MiB before the first trial")


def _resident() -> float:
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    main()
