"""How many trials a cluster ends in a second when nothing is trained, so that no core limits it.

python -m tests.cluster.throughput NODES      on the head; prints one line of JSON

A trial is four rounds of three seconds of sleep; everything else is real: Ray Tune, checkpoints in S3, the study in
PostgreSQL. Each core of a node runs one. All nodes of the test share two real cores, which shorter rounds would fill.
"""

import json
import os
import sys
import tempfile
import time

import ray

from sweep.engine.tune_run import run_sweep
from sweep.machines.ray_session import ray_session
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.study.study import StudyStore
from tests.support.simulation.simulated import simulated_plan
from tests.support.simulation.simulated_trainable import SimulatedTrainable
from trainables.base.storage.storage import Storage

_ROUND_SECONDS = 3.0
_TRIALS_PER_CORE = 2  # of each candidate, so that every size of cluster works about as long


def measure(nodes: int) -> dict[str, float]:
    """Trials a second between the first and the last quarter of their ends: no start, no end of the sweep."""
    name = f"throughput-{nodes}"
    samples = nodes * _TRIALS_PER_CORE
    # Nobody waits for a generation, and no trial is stopped early.
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
    """Of as many nodes as are to be measured: a dead one is counted for half a minute, a new one comes by and by."""
    while ray.cluster_resources().get("CPU", 0) != count:
        time.sleep(1)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
