"""The enhancement networks that are fine-tuned, by name and size, each from one waveform to another of its length.

"base" is published: causal DEMUCS (33,533,569 parameters with 64 channels, 18,867,937 with 48) and Conv-TasNet with one
output at 16 kHz (5,000,881), the sizes of JorisCos/ConvTasNet_Libri1Mix_enhsingle_16k. "tiny" trains on a CPU.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import where_padded
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import pack, unpack
from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.demucs import Demucs

_SIZES: dict[tuple[str, str], dict[str, int]] = {
    ("demucs", "tiny"): {"hidden": 12, "depth": 4, "resample": 1},
    ("demucs", "base"): {},  # but for `hidden`, the constructor's own
    ("conv_tasnet", "tiny"): {
        "filters": 64, "kernel": 32, "bottleneck": 32, "hidden": 48, "blocks": 4, "repeats": 1,
    },
    ("conv_tasnet", "base"): {
        "filters": 512, "kernel": 32, "bottleneck": 128, "hidden": 512, "blocks": 8, "repeats": 3,
    },
}  # fmt: skip


def sizes_of(fields: dict[str, Any]) -> dict[str, int]:
    """The network's arguments; `fields` are those of `PositionInvariantConfig.front_end_fields`."""
    sizes = _SIZES[fields["front_end"], fields["size"]]
    return {**sizes, "hidden": fields["hidden"]} if not sizes else dict(sizes)


class FrontEnd(nn.Module):
    """A network behind one interface; padding has no part in an estimate."""

    def __init__(self, fields: dict[str, Any]):
        super().__init__()
        sizes = sizes_of(fields)
        build: Callable[..., nn.Module] = Demucs if fields["front_end"] == "demucs" else partial(conv_tasnet, 1)
        self.network = build(**sizes)
        self.shortest = sizes.get("kernel", 2)  # samples; DEMUCS needs two for their deviation

    def forward(self, noisy: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples), of which `lengths` (batch,) are valid -> (batch, samples), zeros beyond.

        DEMUCS divides by the deviation of its whole input, so items of a padded batch go through by length.
        """
        padded = where_padded(noisy, lengths)
        if padded is None:
            return self._enhanced(noisy)
        estimate = torch.zeros_like(noisy)
        for length in sorted(set(padded.tolist())):
            rows = (padded == length).nonzero()[:, 0]
            alone = self._enhanced(noisy[rows, :length])
            estimate = estimate.index_copy(0, rows, functional.pad(alone, (0, noisy.shape[1] - length)).to(estimate))
        return estimate

    def _enhanced(self, noisy: Tensor) -> Tensor:
        missing = max(0, self.shortest - noisy.shape[1])
        estimate = self.network(functional.pad(noisy, (0, missing)))[..., : noisy.shape[1]].float()
        return estimate if estimate.dim() == noisy.dim() else estimate[:, 0]


def build_front_end(fields: dict[str, Any], seed: int) -> FrontEnd:
    """With weights drawn from `seed`, the same for every candidate."""
    seed_global_generators(seed, "front-end")
    return FrontEnd(fields)


def pack_front_end(front_end: FrontEnd, **extra: Any) -> bytes:
    """The artifact of the stage "front_end"."""
    state = {name: value.detach().cpu() for name, value in front_end.network.state_dict().items()}
    return pack({"network": state, **extra})


def load_front_end(front_end: FrontEnd, artifact: bytes) -> None:
    """The weights of `pack_front_end`."""
    front_end.network.load_state_dict(unpack(artifact)["network"])
