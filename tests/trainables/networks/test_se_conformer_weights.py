"""Files of SE-Conformer as its public program writes them: read under our names, refused where they differ."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.methods.asteroid_files import weights
from tests.trainables.networks.test_se_conformer import GOLDEN
from trainables.base.errors import UserError
from trainables.networks.se_conformer import SEConformer
from trainables.networks.se_conformer_weights import read_se_conformer

NAME = "se_conformer"  # of the golden network: four times upsampled, two heads
SIZES: dict[str, Any] = {"hidden": 4, "depth": 3, "layers": 2, "feed_forward": 6, "taps": 5, "conv_norm": "batch"}


def state() -> dict[str, torch.Tensor]:
    """Under their names, with what BatchNorm counts."""
    found = weights(GOLDEN[NAME]["shapes"])
    counted = {key.replace("running_mean", "num_batches_tracked") for key in found if key.endswith("running_mean")}
    return found | {key: torch.tensor(3) for key in counted}


def read(path: Path, content: Any, sample_rate: int = 16_000, **sizes: Any) -> dict[str, torch.Tensor]:
    torch.save(content, path)
    return read_se_conformer(path, path.read_bytes(), {**SIZES, **sizes}, sample_rate)


@pytest.mark.parametrize("more", [{}, {"optimizer": {"state": {}}, "history": [1.0], "best_state": {"model": {}}}])
def test_its_state_fits_our_network(more: dict[str, Any], tmp_path: Path) -> None:
    found = read(tmp_path / "seconformer.th", {"model": state(), **more})
    network = SEConformer(**SIZES)
    network.load_state_dict(found)
    mean = network.state_dict()["layers.1.convolution.conv_norm.running_mean"]
    assert torch.equal(mean, state()["conformers.1.conv_module.sequential.3.running_mean"])


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"hidden": 8}, "hidden=4, here 8"),
        ({"depth": 4}, "depth=3, here 4"),
        ({"layers": 1}, "layers=2, here 1"),
        ({"feed_forward": 64}, "feed_forward=6, here 64"),
        ({"taps": 15}, "taps=5, here 15"),
        ({"conv_norm": "layer"}, "--set conv_norm=batch"),
        ({"resample": 1}, "resample=4, here 1"),
        ({"heads": 2}, "heads=4, here 2"),
        ({"sample_rate": 8_000}, "sample_rate=16000, here 8000"),
    ],
)
def test_another_size_is_refused_by_name(sizes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        read(tmp_path / "model.th", {"model": state()}, **sizes)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def broken() -> dict[str, torch.Tensor]:
    found = state()
    found["encoder.0.0.weight"][0] = torch.nan
    return found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1], "format of taps-baselines"),
        ({}, "format of taps-baselines"),
        ({"model": {}}, "format of taps-baselines"),
        ({"model": {"a": 1}}, "format of taps-baselines"),
        ({"model": broken()}, "encoder.0.0.weight"),
        ({"model": {"conv.weight": torch.ones(1)}}, "layers=0, here 2"),
    ],
)
def test_other_files_are_refused(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.th"
    with pytest.raises(UserError, match=said) as refusal:
        read(path, content)
    assert str(path) in str(refusal.value)
