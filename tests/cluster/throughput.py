"""How many trials per second a cluster completes when nothing is trained, so that cores are not the limit.

python -m tests.cluster.throughput NODES      on the head; prints one line of JSON

A trial is four rounds of three seconds of sleep, one trial per core of a node. Ray Tune, checkpoints in S3 and the
study in PostgreSQL are real. All nodes of the test share two real cores, which shorter rounds would saturate.
"""

import json
import os
import sys
import tempfile
import time

import ray

from benchmarks.simulation.simulated import simulated_plan
from benchmarks.simulation.simulated_trainable import SimulatedTrainable
from sweep.engine.tune_run import run_sweep
from sweep.machines.ray_session import ray_session
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.study.study import StudyStore
from trainables.base.storage.storage import Storage

_ROUND_SECONDS = 3.0
_TRIALS_PER_CORE = 2  # of each candidate, so that runs on any number of nodes take about equally long


def measure(nodes: int) -> dict[str, float]:
    """Trials per second, without the first and last quarter of completions: no start-up, no tail."""
    name = f"throughput-{nodes}"
    samples = nodes * _TRIALS_PER_CORE
    # No trial waits for its generation, and none is stopped early.
    plan = simulated_plan(
        os.environ["SPEECH_SWEEP_STUDY_URI"],
        name=name,
        samples=samples,
        exempt=samples,
        seeds=1,
        asynchronous=True,
    )
    storage = Storage(f"{os.environ['SPEECH_SWEEP_OUTPUT']}/{name}")
    parameters = {
        "checkpoints": StoredCheckpoints(storage),
        "artifacts": StoredArtifacts(storage),
        "folder": tempfile.gettempdir(),
        "seconds": _ROUND_SECONDS,
    }
    store = StudyStore(plan.study_uri, name)
    with ray_session():
        _wait_for_cores(nodes * (os.cpu_count() or 1))
        run_sweep(plan, store, parameters, trainable_cls=SimulatedTrainable)
    ends = sorted(record.ended_ms or 0 for record in store.all_records(plan))
    first, last = len(ends) // 4, 3 * len(ends) // 4
    return {"trials": len(ends), "per_second": 1000 * (last - first) / (ends[last] - ends[first])}


def _wait_for_cores(count: int) -> None:
    """Wait for exactly this many nodes: Ray counts a dead node for half a minute, and a new one takes time to join."""
    while ray.cluster_resources().get("CPU", 0) != count:
        time.sleep(1)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
