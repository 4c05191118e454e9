"""Workers that import the training code before anything is to be trained."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray

from sweep.machines.warm_workers import wait_until_warm, warm_workers
from tests.support.sweeps.small_sweep import make_plan


def test_as_many_workers_import_the_method_as_will_work_at_once(ray_cluster: None, tmp_path: Path) -> None:
    warming = warm_workers(make_plan(tmp_path))
    assert len(warming) == 2
    wait_until_warm(warming)
    assert ray.get(warming, timeout=0) == [None, None]


def test_queued_tasks_start_no_further_workers(ray_cluster: None) -> None:
    """They would run where nothing is loaded yet."""
    task = ray.remote(num_cpus=1)(_of_raylet)
    (raylet,) = set(ray.get([task.remote() for _ in range(2)]))
    before = _children(raylet)
    ray.get([task.remote() for _ in range(8)])
    assert len(before) >= 2
    assert _children(raylet) <= before


def _of_raylet() -> int:
    time.sleep(0.5)
    return os.getppid()


def _children(process: int) -> set[int]:
    return {int(pid) for file in Path(f"/proc/{process}/task").glob("*/children") for pid in file.read_text().split()}


def test_no_worker_is_warmed_that_has_no_room_to_work(ray_cluster: None, tmp_path: Path) -> None:
    assert len(warm_workers(make_plan(tmp_path, cpus_per_trial=2))) == 1
    assert warm_workers(make_plan(tmp_path, gpus_per_trial=1)) == []


def test_a_clusters_workers_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert warm_workers(make_plan(tmp_path)) == []


def test_a_method_is_imported_whole() -> None:
    code = (
        "import sys; from sweep.machines.warm_workers import import_methods; import_methods(['contrastive_se']); "
        "assert {'torch', 'trainables.session', 'trainables.contrastive_se.method'} <= set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
