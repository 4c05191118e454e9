"""The configuration says no in one line, and equal trainings have equal configurations."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings
from trainables.networks.enhancement_networks import SIZES, shortest_input
from trainables.waveform_se.config import NETWORKS, WaveformSEConfig


def config(**values: Any) -> WaveformSEConfig:
    return WaveformSEConfig.from_dict(values)


def test_reading_it_needs_no_torch() -> None:
    code = "import sys, trainables.waveform_se.info; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": "sandglasset"}, ["network", "sandglasset", "demucs, se_conformer, conv_tasnet"]),
        ({"size": "paper"}, ["size", "paper", "tiny, base"]),
        ({"hidden": 32}, ["hidden", "32", "48, 64"]),
        ({"beta2": 0.9}, ["beta2", "0.9", "0.99, 0.999"]),
        ({"w_l1": 0, "w_mstft": 0}, ["w_l1", "above 0"]),
        ({"lr": 0}, ["lr", "0"]),
        ({"band_mask": 0.016}, ["band_mask", "0.016", "0.0167"]),
        ({"shift_seconds": 1e-4}, ["shift_seconds", "0.0001", "0.000125"]),
        ({"echo": 1.5}, ["echo", "1.5", "0 to 1"]),
    ],
)
def test_a_refusal_names_field_value_and_what_is_allowed(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as refusal:
        config(**values)
    assert all(word in str(refusal.value) for word in words)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "without_effect"),
    [
        ({}, {"hidden": 48, "taps": 31, "feed_forward": 512, "conv_norm": "batch"}),
        ({"network": "se_conformer"}, {"causal": False, "taps": 31, "plateau_factor": 0.1}),
        ({"network": "conv_tasnet", "size": "base"}, {"causal": False, "hidden": 48}),
    ],
)
def test_values_without_effect_make_no_difference(values: dict[str, Any], without_effect: dict[str, Any]) -> None:
    assert config(**values, **without_effect) == config(**values)


@pytest.mark.parametrize(
    ("values", "overrides"),
    [
        ({}, {"causal": True}),
        ({"size": "base", "hidden": 48}, {"hidden": 48, "causal": True}),
        ({"size": "base", "causal": False}, {"hidden": 64, "stride": 2, "resample": 2, "causal": False}),
        ({"network": "se_conformer"}, {"conv_norm": "layer"}),
        (
            {"network": "se_conformer", "size": "base", "taps": 31},
            {"feed_forward": 64, "taps": 31, "conv_norm": "layer"},
        ),
        ({"network": "conv_tasnet"}, {}),
    ],
)
def test_what_it_makes_of_a_size(values: dict[str, Any], overrides: dict[str, Any]) -> None:
    assert config(**values).overrides == overrides


@pytest.mark.parametrize("network", NETWORKS)
def test_the_shortest_crop_is_the_networks_shortest_input(network: str) -> None:
    shortest = shortest_input({**SIZES[network, "base"], **config(network=network, size="base").overrides})
    enough = DataSettings(crop_seconds=shortest / 16_000)
    assert config(network=network).data_settings(enough) == enough
    with pytest.raises(UserError, match="crop_seconds=") as refusal:
        config(network=network).data_settings(DataSettings(crop_seconds=(shortest - 1) / 16_000))
    assert network in str(refusal.value)


@pytest.mark.parametrize(("field", "value"), [("sample_rate", 8_000), ("speakers", 2)])
def test_it_enhances_one_voice_at_16_khz(field: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"{field}={value} is not possible"):
        config().data_settings(replace(DataSettings(), **{field: value}))
