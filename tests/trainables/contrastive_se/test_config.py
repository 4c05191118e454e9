"""One candidate's configuration: validated in one line, reduced to what has an effect."""

import subprocess
import sys
from typing import Any

import pytest

from trainables.base.errors import UserError
from trainables.contrastive_se.config import ContrastiveSEConfig
from trainables.job.assignment import DataSettings


def test_the_paper_mix_is_expressible() -> None:
    config = ContrastiveSEConfig.from_dict({"target": "byol", "mix_scale": 0.1, "cl_weight": 10})
    assert config.mix_scale * config.cl_weight == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"targt": "byol"}, "no field 'targt'"),
        ({"target": "moco"}, "target='moco'.*none, byol, simsiam"),
        ({"schedule": "warm"}, "schedule='warm'.*full, round, pretrain, anneal"),
        ({"cl_weight": -1}, "cl_weight=-1.*from 0"),
        ({"views": 1}, "views=1.*from 2"),
        ({"views": 2.0}, "a whole number"),
        ({"tau": True}, "tau=True"),
        ({"groups": 5}, "groups=5.*divisor of hidden=32"),
        ({"target": "byol", "stop_gradient": False}, "only true"),
        ({"stop_gradient": "no"}, "true or false"),
    ],
)
def test_impossible_values_are_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        ContrastiveSEConfig.from_dict(values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "same_as"),
    [
        ({"target": "none", "schedule": "round", "cl_weight": 3, "tau": 0.5}, {}),
        ({"target": "simsiam", "tau": 0.5}, {"target": "simsiam"}),
        ({"target": "byol", "round_period": 0.5}, {"target": "byol"}),
        ({"target": "byol", "cl_floor": 0.1}, {"target": "byol"}),
        (
            {"target": "byol", "weighting": "balanced", "cl_weight": 3},
            {"target": "byol", "weighting": "balanced"},
        ),
        ({"groups": 4, "hidden": 32}, {}),
        ({"optimizer": "adamw", "momentum": 0.5}, {"optimizer": "adamw"}),
    ],
)
def test_what_has_no_effect_does_not_tell_configurations_apart(values: dict[str, Any], same_as: dict[str, Any]) -> None:
    assert ContrastiveSEConfig.from_dict(values) == ContrastiveSEConfig.from_dict(same_as)


def test_a_batch_may_count_views() -> None:
    data = DataSettings(batch=12)
    assert ContrastiveSEConfig.from_dict({}).data_settings(data) == data
    counted = ContrastiveSEConfig.from_dict({"batch_of": "views", "views": 3})
    assert counted.data_settings(data).batch == 4
    with pytest.raises(UserError, match=r"batch_of='views'.*a batch of 10 .*3 views"):
        counted.data_settings(DataSettings(batch=10))


def test_keys_of_earlier_versions_are_as_they_were() -> None:
    """A field that is newer than stages stays out of them at its default."""
    assert "batch_of" not in ContrastiveSEConfig.from_dict({}).to_dict()
    counted = ContrastiveSEConfig.from_dict({"batch_of": "views"})
    assert ContrastiveSEConfig.from_dict(counted.to_dict()) == counted


def test_reading_it_does_not_import_torch() -> None:
    code = (
        "import sys, trainables.contrastive_se.config, trainables.contrastive_se.loss_schedule;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
