"""A trial that fits nowhere is refused in one line, before anything else is done."""

from pathlib import Path

import pytest

from sweep.cluster_room import require_room
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
