"""Checkpoints of s3prl: its own features and layers, and a refusal by name of whatever a file says differently."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.methods import s3prl_model
from trainables.base.errors import UserError
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.spectral_body import SpectralBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.published_weights.reading import load_weights

GOLDEN = json.loads((Path(__file__).parent / "golden_s3prl.json").read_text())


@pytest.fixture(scope="module")
def body() -> SpectralBody:
    config = NormalizedSSLConfig.from_dict({"upstream": "tera", "size": "base", "init": "random"})
    body = build_body(config.ssl, 0).eval()
    assert isinstance(body, SpectralBody)
    return body


def write(path: Path, config: Any, state: dict[str, torch.Tensor] | None = None, **parts: Any) -> Path:
    torch.save({"Transformer": state or {}, "Config": config, **parts}, path)
    return path


def refusal(body: SpectralBody, path: Path) -> str:
    with pytest.raises(UserError) as found:
        load_weights(body, "tera", path)
    message = str(found.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_features_and_layers_are_s3prls(body: SpectralBody, tmp_path: Path) -> None:
    """Golden: s3prl 0.4.18's preprocessor, positions and TransformerModel, with torchaudio's filterbank."""
    shapes = {name: value.shape for name, value in s3prl_model.reference_transformer().state_dict().items()}
    state = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        values = np.random.default_rng(number).standard_normal(size=tuple(shape), dtype=np.float32) * 0.05
        state[name] = torch.tensor(values + (1.0 if name.endswith("LayerNorm.weight") else 0.0))
    load_weights(body, "tera", write(tmp_path / "states.ckpt", s3prl_model.CONFIG, state))
    time = np.arange(8000)
    wave = np.random.default_rng(100).normal(size=8000) * 0.1 * np.sin(time / 900) ** 2
    wave = torch.tensor(wave, dtype=torch.float32)[None]
    with torch.no_grad():
        features, hidden = body.features(wave)[0], [each[0].T for each in body(wave)]
    expected = torch.tensor(GOLDEN["features"])
    torch.testing.assert_close(features[GOLDEN["frames"], ::8], expected, atol=2e-4, rtol=0)
    for found, layer in zip(hidden, GOLDEN["hidden"], strict=True):
        torch.testing.assert_close(found[GOLDEN["frames"], ::64], torch.tensor(layer), atol=1e-3, rtol=0)


OTHER: dict[str, dict[str, Any]] = {
    "transformer": {
        "hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8, "intermediate_size": 2048,
        "hidden_act": "relu", "layer_norm_eps": 1e-5, "share_layer": True, "pre_layer_norm": True, "input_dim": 240,
        "downsample_rate": 3, "max_input_length": 3000, "prune_headids": "0,1", "a_setting_of_tomorrow": 1,
    },
    "task": {"sequence_length": 3000, "position_encoding_size": 512, "a_setting_of_tomorrow": 1},
    "audio": {
        "sample_rate": 8000, "win_ms": 32, "hop_ms": 12.5, "n_freq": 257, "n_mels": 160, "target_level": -20,
        "eps": 1e-6, "kaldi": {"feat_type": "fbank"}, "a_setting_of_tomorrow": 1,
    },
    "audio.input": {
        "feat_type": "linear", "log": False, "cmvn": False, "delta": 2, "channel": 1, "a_setting_of_tomorrow": 1,
    },
}  # fmt: skip


def changed(section: str, name: str, value: Any = None) -> dict[str, Any]:
    """The configuration with one value changed, or left out."""
    config = copy.deepcopy(s3prl_model.CONFIG)
    place: Any = config
    for part in section.split("."):
        place = place[part]
    if value is None:
        place.pop(name)
    else:
        place[name] = value
    return config


@pytest.mark.parametrize(("section", "name"), [(section, name) for section, names in OTHER.items() for name in names])
def test_every_setting_that_differs_is_refused_by_name(
    section: str, name: str, body: SpectralBody, tmp_path: Path
) -> None:
    value = OTHER[section][name]
    message = refusal(body, write(tmp_path / "states.ckpt", changed(section, name, value)))
    assert f"{name}={value!r}" in message
    assert f", {section}:" in message


@pytest.mark.parametrize(
    ("section", "name", "taken"),
    [
        ("transformer", "layer_norm_eps", False),  # s3prl itself demands these
        ("transformer", "share_layer", False),
        ("task", "sequence_length", False),
        ("audio", "target_level", False),
        ("audio", "n_mels", False),  # s3prl's default is 40
        ("audio.input", "cmvn", False),  # s3prl's default is False
        ("audio.input", "log", False),
        ("audio.input", "delta", True),
        ("audio", "win_ms", True),
        ("audio", "n_mfcc", True),
        ("task", "mask_frequency", True),
        ("transformer", "hidden_dropout_prob", True),
    ],
)
def test_silence_means_s3prls_default(section: str, name: str, taken: bool, body: SpectralBody, tmp_path: Path) -> None:
    message = refusal(body, write(tmp_path / "states.ckpt", changed(section, name)))  # it has no tensors
    assert ("lacks" in message) == taken
    assert (f"{name} is not given" in message) != taken


@pytest.mark.parametrize("section", ["audio", "task"])
def test_a_configuration_without_a_front_end_or_a_length_is_refused(
    section: str, body: SpectralBody, tmp_path: Path
) -> None:
    config = {name: value for name, value in s3prl_model.CONFIG.items() if name != section}
    assert f"no {section} in its configuration" in refusal(body, write(tmp_path / "states.ckpt", config))


def test_kaldis_filterbank_is_another_front_end(body: SpectralBody, tmp_path: Path) -> None:
    audio = {"kaldi": {"feat_type": "fbank"}, "delta": {"order": 2}, "cmvn": {"use_cmvn": True}}
    message = refusal(body, write(tmp_path / "states.ckpt", {**s3prl_model.CONFIG, "audio": audio}))
    assert "no audio.input in its configuration, which has cmvn, delta, kaldi" in message


def test_unknown_parts_are_refused(body: SpectralBody, tmp_path: Path) -> None:
    path = tmp_path / "states.ckpt"
    assert "Adapters=" in refusal(body, write(path, s3prl_model.CONFIG, Adapters={"rank": 4}))
    assert "online=" in refusal(body, write(path, {**s3prl_model.CONFIG, "online": {"n_mels": 80}}))
    parts: dict[str, Any] = {
        "Optimizer": {},
        "Scheduler": {},
        "Step": 1,
        "Args": None,
        "SpecHead": {},
        "Global_step": 1,
    }
    assert "lacks" in refusal(body, write(path, s3prl_model.CONFIG, **parts))


def test_a_tensor_without_a_place_is_refused(body: SpectralBody, tmp_path: Path) -> None:
    state = {**s3prl_model.reference_transformer().state_dict(), "encoder.LayerNorm.0.weight": torch.ones(768)}
    message = refusal(body, write(tmp_path / "states.ckpt", s3prl_model.CONFIG, state))
    assert "encoder.LayerNorm.0.weight" in message
