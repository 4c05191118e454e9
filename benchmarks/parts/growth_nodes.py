"""Trials an hour on one, two and three nodes of a Ray cluster, all of them on this machine.

A trial is four rounds of 0.7 s of sleep, so that the machine's own cores, which all nodes share, are not what
limits it; Ray Tune, actors, checkpoints and the study are real. Counted is the middle half of all ends: neither the
start of Ray nor the last trials, which leave nodes idle. tests/cluster measures the same on separate machines.
"""

import os
from pathlib import Path

from ray.cluster_utils import Cluster

from benchmarks.harness.findings import Comparison, Curve, Finding
from benchmarks.harness.part import Context
from benchmarks.simulation.simulated import simulated_plan
from benchmarks.simulation.simulated_trainable import SimulatedTrainable, simulated_parameters
from sweep.engine.tune_run import run_sweep
from sweep.machines.ray_session import ray_session
from sweep.study.study import StudyStore

NODES = (1, 2, 3)
CORES = 2  # of a node
_ROUND_SECONDS = 0.7
_TRIALS_A_NODE = 2  # of each candidate


def measure(context: Context) -> list[Finding]:
    rates = {}
    for nodes in NODES if not context.small else (1,):
        context.say(f"{nodes} nodes")
        folder = context.folder / str(nodes)
        folder.mkdir()
        rates[nodes] = trials_a_second(folder, nodes, 0.05 if context.small else _ROUND_SECONDS)
    alone = rates[1]
    points = tuple((float(nodes), 3600 * rate / nodes) for nodes, rate in rates.items())
    return [
        *(
            Comparison(
                what=f"{nodes} nodes",
                unit="trials/s",
                peer=f"{nodes} times one node",
                ours=(rate,),
                theirs=(nodes * alone,),
                more_is_better=True,
                why="the driver hands out one trial after the other, and all nodes share this machine's cores",
            )
            for nodes, rate in rates.items()
            if nodes > 1
        ),
        Curve(what="nodes of a cluster", x="nodes", y="trials an hour and node", points=points),
    ]


def trials_a_second(folder: Path, nodes: int, round_seconds: float) -> float:
    """Over the middle half of all trials' ends."""
    samples = nodes * _TRIALS_A_NODE
    # No trial waits for its generation, and none is stopped early.
    plan = simulated_plan(
        f"sqlite:///{folder}/study.db", groups=("tera",), samples=samples, exempt=samples, seeds=1, asynchronous=True
    )
    store = StudyStore(plan.study_uri, plan.name)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=CORES)
        with ray_session():
            parameters = simulated_parameters(folder, seconds=round_seconds)
            run_sweep(plan, store, parameters, trainable_cls=SimulatedTrainable)
    finally:
        cluster.shutdown()
        del os.environ["RAY_ADDRESS"]
    ends = sorted(record.ended_ms or 0 for record in store.all_records(plan))
    first, last = len(ends) // 4, 3 * len(ends) // 4
    store.close()
    return 1000 * (last - first) / (ends[last] - ends[first])
