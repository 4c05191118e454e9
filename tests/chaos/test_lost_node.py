"""A machine of the cluster is lost in the middle of a sweep: its jobs go on elsewhere, from their checkpoints."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from ray.cluster_utils import Cluster

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan
from benchmarks.simulation.simulated_trainable import (
    SimulatedTrainable,
    rounds_trained,
    simulated_parameters,
)
from sweep.core.listener import Event, JobReported
from sweep.engine.tune_run import run_sweep
from sweep.machines.ray_session import ray_session
from sweep.study.study import StudyStore
from tests.support import REPOSITORY

pytestmark = pytest.mark.chaos


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head without CPUs, so that every job is on a node that may be lost."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    yield cluster
    cluster.shutdown()


class _Loss:
    """Takes the node away at the sixth report."""

    def __init__(self, cluster: Cluster, node: Any) -> None:
        self._cluster = cluster
        self._node = node
        self._reports = 0

    def hear(self, event: Event) -> None:
        self._reports += isinstance(event, JobReported)
        if self._reports == 6 and isinstance(event, JobReported):
            self._cluster.remove_node(self._node, allow_graceful=False)


def test_a_lost_node_costs_the_rounds_under_way_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    plan = simulated_plan(f"sqlite:///{tmp_path}/study.db", groups=("tera",), samples=2, seeds=1)
    undisturbed = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, undisturbed).run()
    loss = _Loss(cluster, cluster.add_node(num_cpus=1))
    cluster.add_node(num_cpus=1)
    store = StudyStore(plan.study_uri, plan.name)
    with ray_session():
        parameters = simulated_parameters(tmp_path, seconds=0.2)
        run_sweep(plan, store, parameters, [loss], SimulatedTrainable)
    assert facts(store, plan) == facts(undisturbed, plan)
    trained = sum(len(rounds_trained(tmp_path, job.path)) for job in plan.all_jobs())
    assert trained <= sum(len(scores) for _, _, scores, *_ in facts(store, plan).values()) + 1
