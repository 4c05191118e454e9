"""The enhancement networks by name and size, each from a mixture's waveform to an estimate of its length.

"base" is published: causal DEMUCS (18,867,937 parameters with 48 channels, 33,533,569 with 64; not causal, at half the
stride and resampling, 60,813,953), SE-Conformer by a third party's sizes (12,092,033), and Conv-TasNet with one output
at 16 kHz (5,000,881), the sizes of JorisCos/ConvTasNet_Libri1Mix_enhsingle_16k. "tiny" trains on a CPU.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.demucs import Demucs
from trainables.networks.se_conformer import SEConformer

SIZES: dict[tuple[str, str], dict[str, int]] = {
    ("demucs", "tiny"): {"hidden": 12, "depth": 4, "resample": 1},
    ("demucs", "base"): {},  # but for `hidden`, the constructor's own
    ("se_conformer", "tiny"): {
        "hidden": 8, "depth": 4, "resample": 1, "layers": 1, "heads": 4, "feed_forward": 16, "taps": 7,
    },
    ("se_conformer", "base"): {"hidden": 64},
    ("conv_tasnet", "tiny"): {
        "filters": 64, "kernel": 32, "bottleneck": 32, "hidden": 48, "blocks": 4, "repeats": 1,
    },
    ("conv_tasnet", "base"): {
        "filters": 512, "kernel": 32, "bottleneck": 128, "hidden": 512, "blocks": 8, "repeats": 3,
    },
}  # fmt: skip
# Of (batch, samples) and valid lengths; Conv-TasNet's estimate is (batch, 1, samples), the others' (batch, samples).
BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "demucs": Demucs,
    "se_conformer": SEConformer,
    "conv_tasnet": partial(conv_tasnet, 1),
}
_SHORTEST = 2  # samples: DEMUCS and SE-Conformer need two for their deviation


def shortest_input(sizes: dict[str, Any]) -> int:
    """Samples that a network of these sizes needs: Conv-TasNet one kernel."""
    return int(sizes["kernel"]) if "filters" in sizes else _SHORTEST


def as_waves(estimate: Tensor) -> Tensor:
    """(batch, samples), float32, of any network's estimate."""
    return (estimate if estimate.dim() == 2 else estimate[:, 0]).float()
