"""What fine-tuning takes over from pre-training, and what stays fresh."""

from typing import Any

import pytest
import torch

from trainables.networks.asteroid_weights import our_key
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.config import SeparationConfig
from trainables.separation.separators import build_separator, fresh_keys, load_pretrained

MODELS = ("convtasnet", "dprnn", "dptnet")
# The keys that the paper's recipe leaves out, as asteroid calls them.
REINITIALIZED = {
    "convtasnet": "masker.mask_net.1",
    "dprnn": "masker.first_out.1",
    "dptnet": "masker.first_out.1",
}


def fine_tuned(**values: Any) -> tuple[MaskingSeparator, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    config = SeparationConfig.from_dict({"strategy": "ptft", **values})
    pretrained = build_separator(config, 1, seed=5).state_dict()
    network = build_separator(config, config.sources, seed=6)
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    load_pretrained(network, config, pretrained)
    return network, pretrained, fresh


@pytest.mark.parametrize("model", MODELS)
def test_all_but_two_tensors_are_loaded(model: str) -> None:
    network, pretrained, fresh = fine_tuned(model=model)
    expected = {our_key(f"{REINITIALIZED[model]}.{leaf}") for leaf in ("weight", "bias")}
    for name, value in network.state_dict().items():
        assert torch.equal(value, (fresh if name in expected else pretrained)[name])


@pytest.mark.parametrize("model", MODELS)
def test_wider_scopes_contain_narrower_ones(model: str) -> None:
    keys = []
    for scope in ("mask_out", "mask_net", "masker_last_repeat"):
        config = SeparationConfig.from_dict({"strategy": "ptft", "model": model, "reinit": scope})
        keys.append(set(fresh_keys(build_separator(config, 2, seed=1), config)))
    assert keys[0] < keys[1] < keys[2]
    assert all(key.startswith(("masker.head.", "masker.blocks.")) for key in keys[2])


def test_the_last_repeat_of_conv_tasnet_is_its_last_blocks() -> None:
    config = SeparationConfig.from_dict({"strategy": "ptft", "reinit": "masker_last_repeat"})
    keys = fresh_keys(build_separator(config, 2, seed=1), config)
    assert {int(key.split(".")[2]) for key in keys if "blocks" in key} == {4, 5, 6, 7}


@pytest.mark.parametrize("model", MODELS)
def test_cloned_outputs_begin_almost_alike(model: str) -> None:
    network, pretrained, _ = fine_tuned(model=model, reinit="clone", sources=3)
    cloned = network.state_dict()["masker.head.output.weight"].chunk(3)
    original = pretrained["masker.head.output.weight"]
    for each in cloned:
        assert (each - original).std() < 0.05 * original.std()
    assert not torch.equal(cloned[0], cloned[1])


def test_the_seed_alone_decides_the_weights() -> None:
    config = SeparationConfig.from_dict({})
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, other = build_separator(config, 2, seed=3), build_separator(config, 2, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
