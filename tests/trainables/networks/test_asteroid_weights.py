"""Files in asteroid's format: its own models give its own output, and whatever they say differently is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.methods.asteroid_files import GOLDEN, SIZES, content_of, mixture, write
from trainables.base.errors import UserError
from trainables.networks.asteroid_weights import our_key, read_asteroid
from trainables.separation.config import SeparationConfig
from trainables.separation.separators import _BUILDERS

MODELS = sorted(GOLDEN)


def read(model: str, path: Path, **changes: Any) -> dict[str, torch.Tensor]:
    place = {"sizes": SIZES[model], "sample_rate": 8000, "outputs": 1, **changes}
    return read_asteroid(path, path.read_bytes(), model, **place)


def refusal(model: str, path: Path, **changes: Any) -> str:
    with pytest.raises(UserError) as found:
        read(model, path, **changes)
    message = str(found.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("model", MODELS)
def test_a_file_gives_the_output_that_asteroid_gives(model: str, tmp_path: Path) -> None:
    """Golden: asteroid 0.7.0 itself."""
    network = _BUILDERS[model](1, **SIZES[model])
    network.load_state_dict(read(model, write(tmp_path / "model.pth", content_of(model))))
    with torch.no_grad():
        found = network(mixture())[0, 0]
    torch.testing.assert_close(found, torch.tensor(GOLDEN[model]["output"]), atol=2e-5, rtol=1e-5)


# Of every argument of the constructors a value that changes the network or its audio.
FRAME = {
    "n_src": 2, "n_filters": 32, "kernel_size": 16, "stride": 2, "sample_rate": 16000, "in_chan": 8,
    "norm_type": "cLN", "mask_act": "sigmoid", "fb_name": "stft", "who_is_pinv": "decoder", "padding": 1,
    "output_padding": 1, "an_argument_of_tomorrow": 1,
}  # fmt: skip
DUAL_PATH = {"chunk_size": 20, "hop_size": 3, "n_repeats": 3, "bidirectional": False, "dropout": 0.1}
OTHER: dict[str, dict[str, Any]] = {
    "convtasnet": {
        **FRAME, "encoder_activation": "relu", "out_chan": 8, "n_blocks": 1, "n_repeats": 4, "bn_chan": 7,
        "skip_chan": 0, "hid_chan": 11, "conv_kernel_size": 5, "causal": True,
    },
    "dprnn": {
        **FRAME, **DUAL_PATH, "encoder_activation": "sigmoid", "out_chan": 8, "bn_chan": 7, "hid_size": 4,
        "rnn_type": "GRU", "num_layers": 2, "use_mulcat": True,
    },
    "dptnet": {
        **FRAME, **DUAL_PATH, "encoder_activation": None, "n_heads": 8, "ff_hid": 6, "ff_activation": "gelu",
    },
}  # fmt: skip


@pytest.mark.parametrize(("model", "name"), [(model, name) for model in MODELS for name in OTHER[model]])
def test_every_argument_that_differs_is_refused_by_name(model: str, name: str, tmp_path: Path) -> None:
    value = OTHER[model][name]
    message = refusal(model, write(tmp_path / "model.pth", content_of(model, {name: value})))
    assert f"{name}={value!r}" in message
    assert len(re.findall(r"\w+=", message.split("configured here: ")[1].replace("--set ", ""))) <= 2  # no other


@pytest.mark.parametrize("model", MODELS)
def test_no_argument_of_a_real_file_is_left_unchecked(model: str) -> None:
    assert set(GOLDEN[model]["model_args"]) <= set(OTHER[model])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("silent", ["mask_act", "n_src", "kernel_size", "encoder_activation", "sample_rate"])
def test_silence_means_asteroids_default(model: str, silent: str, tmp_path: Path) -> None:
    """asteroid builds a model with its default, which for mask_act depends on the model."""
    path = write(tmp_path / "model.pth", content_of(model, without=silent))
    if silent in ("encoder_activation", "sample_rate") or (silent == "mask_act" and model == "dptnet"):
        assert read(model, path)
    else:
        assert f"{silent} is not given" in refusal(model, path)


def test_the_rate_of_an_old_file_is_that_of_its_training(tmp_path: Path) -> None:
    content = content_of("convtasnet", without="sample_rate")
    content["infos"]["training_config"] = {"data": {"sample_rate": 16000}}
    path = write(tmp_path / "model.pth", content)
    assert "sample_rate=16000, here 8000 (--set sample_rate=16000)" in refusal("convtasnet", path)
    assert read("convtasnet", path, sample_rate=16000)


@pytest.mark.parametrize(
    "same", [{"fb_name": "free"}, {"sample_rate": 8000.0}, {"stride": None}, {"norm_type": "GlobLN"}]
)
def test_another_way_to_write_the_same_is_taken(same: dict[str, Any], tmp_path: Path) -> None:
    assert read("convtasnet", write(tmp_path / "model.pth", content_of("convtasnet", same)))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "model.pth", {"weights": torch.ones(1)})
    assert "asteroid's format" in refusal("convtasnet", path)
    path = write(path, {**content_of("dprnn"), "model_args": [1]})
    assert "asteroid's format" in refusal("dprnn", path)
    path = write(path, {**content_of("convtasnet"), "quantized": True})
    assert "quantized" in refusal("convtasnet", path)
    path = write(path, content_of("dptnet"))
    assert "model_name='DPTNet', here 'ConvTasNet'" in refusal("convtasnet", path)
    path.write_bytes(b"PK")
    assert "cannot be read" in refusal("convtasnet", path)
    with pytest.raises(UserError, match=r"unknown key 'masker\.gru\.weight'"):
        our_key("masker.gru.weight")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    content = content_of("convtasnet")
    content["state_dict"]["masker.mask_net.1.bias"][0] = torch.nan
    assert "masker.mask_net.1.bias" in refusal("convtasnet", write(tmp_path / "model.pth", content))


def test_the_published_sizes_are_asteroids_recipes() -> None:
    """What LibriMix's recipe for ConvTasNet writes: it loads as size=paper."""
    sizes = SeparationConfig.from_dict({"model": "convtasnet", "size": "paper"}).architecture
    assert sizes == {"filters": 512, "kernel": 16, "bottleneck": 128, "hidden": 512, "blocks": 8, "repeats": 3}
