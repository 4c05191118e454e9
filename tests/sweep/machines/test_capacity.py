"""A trial that fits nowhere is refused before anything else is done; others get as many machines as they can use."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster
from ray.util import placement_group_table

from sweep.machines import capacity
from sweep.machines.capacity import Resources, TrialCapacity, _Kind, require_capacity, trials_at_once
from tests.support import REPOSITORY
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.errors import UserError


def test_a_gpu_where_there_is_none_is_refused_with_what_there_is(ray_cluster: None, tmp_path: Path) -> None:
    refusal = r"takes 1 CPU, 0\.5 GPU; there is: 2 CPU, 0 GPU\. Choose a smaller --gpus-per-trial"
    with pytest.raises(UserError, match=refusal):
        require_capacity(make_plan(tmp_path, gpus_per_trial=0.5))


def test_a_trial_must_fit_on_one_machine(ray_cluster: None, tmp_path: Path) -> None:
    require_capacity(make_plan(tmp_path, cpus_per_trial=2))
    with pytest.raises(UserError, match="takes 3 CPU"):
        require_capacity(make_plan(tmp_path, cpus_per_trial=3))


def test_a_cluster_without_a_machine_is_asked_for_one(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by an autoscaler that declares nothing: a machine comes for what is pending, and for nothing else."""

    def machines() -> list[Resources]:
        return [{"CPU": 4.0}] if pending_bundles() == [{"CPU": 3.0}] else []

    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(capacity, "_machines", machines)
    monkeypatch.setattr(capacity, "_FIRST_MACHINE_SECONDS", 120.0)
    require_capacity(make_plan(tmp_path, cpus_per_trial=3))
    assert pending_bundles() == []


def test_the_wait_begins_again_with_every_machine_that_joins(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of five fits, and comes when the first wait is long over."""
    begin = time.monotonic()

    def machines() -> list[Resources]:
        joined = int((time.monotonic() - begin) / 2)
        small: Resources = {"CPU": 1.0}
        return [small] * min(joined, 4) + [{"CPU": 3.0}] * (joined >= 5)

    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(capacity, "_machines", machines)
    monkeypatch.setattr(capacity, "_FIRST_MACHINE_SECONDS", 4.0)
    monkeypatch.setattr(capacity, "_BETTER_MACHINE_SECONDS", 4.0)
    monkeypatch.setattr(capacity, "_POLL_SECONDS", 0.1)
    require_capacity(make_plan(tmp_path, cpus_per_trial=3))
    assert time.monotonic() - begin >= 10


def pending_bundles() -> list[Resources]:
    groups = [group for group in placement_group_table().values() if group["state"] == "PENDING"]
    return [bundle for group in groups for bundle in group["bundles"].values()]


@pytest.mark.parametrize(
    ("needed", "count"),
    [({"cpus_per_trial": 1}, 2), ({"cpus_per_trial": 2}, 1), ({"gpus_per_trial": 0.5}, 0)],
)
def test_what_is_scarcest_says_how_many_trials_run_at_once(
    ray_cluster: None, tmp_path: Path, needed: dict[str, Any], count: int
) -> None:
    assert trials_at_once(make_plan(tmp_path, **needed)) == count


class FakeCluster:
    """Machines and kinds as Ray would report them; `queries` counts the calls."""

    def __init__(self) -> None:
        self.alive: list[Resources] = []
        self.kinds: list[_Kind] = []
        self.queries = 0

    def alive_machines(self) -> list[Resources]:
        self.queries += 1
        return self.alive


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    fake = FakeCluster()
    monkeypatch.setattr(capacity, "_alive", fake.alive_machines)
    monkeypatch.setattr(capacity, "_kinds", lambda: fake.kinds)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return fake


HEAD, WORKER = {"CPU": 0.0}, {"CPU": 4.0, "GPU": 1.0}


def test_a_cluster_that_starts_empty_is_asked_for_all_the_machines_it_may_start(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    cluster.alive, cluster.kinds = [HEAD], [_Kind(WORKER, 3), _Kind({"CPU": 2.0}, 5)]
    limit = TrialCapacity(make_plan(tmp_path, gpus_per_trial=0.5))
    assert limit.pending_limit(running=0) == 6
    assert limit.pending_limit(running=4) == 2
    assert limit.pending_limit(running=6) == 1


def test_machines_that_were_started_are_not_counted_twice(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.alive, cluster.kinds = [HEAD, WORKER, WORKER], [_Kind(WORKER, 3)]
    assert TrialCapacity(make_plan(tmp_path)).pending_limit(running=0) == 12


def test_no_more_is_asked_for_than_the_plan_has_jobs(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.kinds = [_Kind(WORKER, math.inf), _Kind({"CPU": 0.5}, math.inf)]
    assert TrialCapacity(make_plan(tmp_path)).pending_limit(running=0) == 50


def test_machines_that_join_a_running_sweep_are_used_and_queries_are_rare(cluster: FakeCluster, tmp_path: Path) -> None:
    now = [0.0]
    limit = TrialCapacity(make_plan(tmp_path), clock=lambda: now[0])
    assert [limit.pending_limit(running=0) for _ in range(1000)] == [1] * 1000
    assert cluster.queries == 1
    cluster.alive = [WORKER, WORKER]
    now[0] += 10
    assert limit.pending_limit(running=0) == 8
    assert cluster.queries == 2


def test_an_autoscaler_that_declares_no_kinds_sees_a_few_pending_trials(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    cluster.alive = [HEAD, {"CPU": 1.0}]
    assert TrialCapacity(make_plan(tmp_path)).pending_limit(running=1) == 4


@pytest.fixture
def gpu_workers() -> Iterator[str]:
    """The address of a head without anything, and a worker that says it has a GPU."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    cluster.add_node(num_cpus=1, num_gpus=1)
    yield cluster.address
    cluster.shutdown()


def test_a_head_without_a_gpu_chooses_by_its_workers(gpu_workers: str, tmp_path: Path) -> None:
    run = REPOSITORY / "sweep" / "run.py"
    done = subprocess.run(
        [sys.executable, str(run), "--space", "norm_layers", "--corpus", "demo", "--dry-run"],
        env={**os.environ, "RAY_ADDRESS": gpu_workers},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "preset     paper" in done.stdout, done.stderr
    assert "50,000 to 100,000 steps, 1 GPU each" in done.stdout
