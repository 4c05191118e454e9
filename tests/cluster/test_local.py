"""cluster/local.yaml against Ray's own schema; test_ray_submit.py runs it."""

from pathlib import Path

import yaml

FILE = Path(__file__).resolve().parents[2] / "cluster" / "local.yaml"


def test_rays_schema_holds() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load(FILE.read_text())))


def test_nothing_trains_on_the_head_and_its_dashboard_is_its_own() -> None:
    start = yaml.safe_load(FILE.read_text())["head_start_ray_commands"][-1]
    assert "--num-cpus=0 --num-gpus=0" in start
    assert "--dashboard-host=127.0.0.1" in start
