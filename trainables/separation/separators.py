"""Building a trial's network, and giving it pre-trained weights.

A pre-trained network has one output, a separator one per source; the rest is the same, so fine-tuning loads
everything but the layers that are reinitialised.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from trainables.base.randomness import derive_seed
from trainables.base.tensors import pack
from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.dual_path import dprnn_tasnet
from trainables.networks.dual_path_transformer import dptnet
from trainables.networks.masking_separator import MaskingSeparator
from trainables.networks.sandglasset import sandglasset
from trainables.separation.config import SeparationConfig

_BUILDERS: dict[str, Callable[..., MaskingSeparator]] = {
    "convtasnet": conv_tasnet,
    "dprnn": dprnn_tasnet,
    "dptnet": dptnet,
    "sandglasset": sandglasset,
}
_OUTPUT = "masker.head.output."
_CLONE_NOISE = 0.01  # of the cloned weights' own deviation; equal outputs would stay equal


def build_separator(config: SeparationConfig, outputs: int, seed: int) -> MaskingSeparator:
    """The network with weights drawn from `seed`; the global generators are left unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "separator"))
        return _BUILDERS[config.model](outputs, **config.architecture)


def pack_network(network: MaskingSeparator, **extra: Any) -> bytes:
    """The artifact of a pre-training: the network's state and whatever else its continuation needs."""
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    return pack({"network": state, **extra})


def load_pretrained(network: MaskingSeparator, config: SeparationConfig, state: Mapping[str, Tensor]) -> None:
    """Take over all weights but those of `config.reinit`, which keep their fresh values.

    Exactly the layers named by `reinit` stay fresh; with "clone" the output layer is repeated for each
    source, with a little noise.
    """
    fresh = set(fresh_keys(network, config))
    taken = {name: value for name, value in state.items() if name not in fresh}
    missing, unexpected = network.load_state_dict(taken, strict=False)
    assert set(missing) == fresh, f"missing {sorted(set(missing) ^ fresh)}"
    assert not unexpected, f"unexpected {unexpected}"
    if config.reinit == "clone":
        _clone_output(network, config.sources, state)


def fresh_keys(network: MaskingSeparator, config: SeparationConfig) -> list[str]:
    """The keys that fine-tuning does not load."""
    prefixes = _fresh_prefixes(network, config)
    return [name for name in network.state_dict() if name.startswith(prefixes)]


def _fresh_prefixes(network: MaskingSeparator, config: SeparationConfig) -> tuple[str, ...]:
    if config.reinit in ("mask_out", "clone"):
        return (_OUTPUT,)
    if config.reinit == "mask_net":
        return ("masker.head.",)
    repeats = config.architecture.get("repeats", len(network.masker.blocks))
    last = len(network.masker.blocks) // repeats
    first = len(network.masker.blocks) - last
    blocks = (f"masker.blocks.{number}." for number in range(first, len(network.masker.blocks)))
    return ("masker.head.", *blocks)


def _clone_output(network: MaskingSeparator, sources: int, state: Mapping[str, Tensor]) -> None:
    target = network.state_dict()
    for name in (f"{_OUTPUT}weight", f"{_OUTPUT}bias"):
        cloned = torch.cat([state[name]] * sources)
        deviation = cloned.std() if cloned.numel() > 1 else cloned.abs().max()
        # The fresh values, which `seed` has drawn, serve as the noise.
        noise = target[name] / target[name].std().clamp_min(1e-12)
        target[name].copy_(cloned + _CLONE_NOISE * deviation * noise)
