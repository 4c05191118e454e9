"""A trial that fits nowhere is refused in one line, before anything else is done."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from sweep.cluster_room import require_room, trials_at_once
from tests.sweep.small_sweep import make_plan
from trainables.errors import UserError


def test_a_trial_that_fits_may_begin(ray_cluster: None, tmp_path: Path) -> None:
    require_room(make_plan(tmp_path, cpus_per_trial=2))


def test_a_gpu_where_there_is_none_is_refused_with_what_there_is(ray_cluster: None, tmp_path: Path) -> None:
    refusal = r"takes 1 CPU, 0\.5 GPU; there is: 2 CPU, 0 GPU\. Choose a smaller --gpus-per-trial"
    with pytest.raises(UserError, match=refusal):
        require_room(make_plan(tmp_path, gpus_per_trial=0.5))


def test_a_trial_must_fit_on_one_machine(ray_cluster: None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes 3 CPU"):
        require_room(make_plan(tmp_path, cpus_per_trial=3))


@pytest.mark.parametrize(
    ("needed", "count"),
    [({"cpus_per_trial": 1}, 2), ({"cpus_per_trial": 2}, 1), ({"gpus_per_trial": 0.5}, 0)],
)
def test_what_is_scarcest_says_how_many_trials_run_at_once(
    ray_cluster: None, tmp_path: Path, needed: dict[str, float], count: int
) -> None:
    assert trials_at_once(make_plan(tmp_path, **needed)) == count


@pytest.fixture
def gpu_workers() -> Iterator[str]:
    """The address of a head without anything, and a worker that says it has a GPU."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    cluster.add_node(num_cpus=1, num_gpus=1)
    yield cluster.address
    cluster.shutdown()


def test_a_head_without_a_gpu_chooses_by_its_workers(gpu_workers: str, tmp_path: Path) -> None:
    run = Path(__file__).resolve().parents[2] / "sweep" / "run.py"
    done = subprocess.run(
        [sys.executable, str(run), "--space", "norm_layers", "--corpus", "demo", "--dry-run"],
        env={**os.environ, "RAY_ADDRESS": gpu_workers},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "preset     paper" in done.stdout, done.stderr
    assert "50,000 steps, 1 GPU each" in done.stdout
