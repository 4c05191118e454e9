"""Feature normalization (Yang and Kang, Algorithm 1) carried over to separation.

Pre-training has seen one voice at a time, fine-tuning sees several at once. At the input of a chosen block
every channel of the mixture's features is pulled towards the mean and deviation that a frozen copy of the
pre-trained network gives for the single voices:

    x <- (1 + k (r - 1)) x + k (m_voices - r m_mixture),    r = sigma_voices / sigma_mixture

with running statistics over batch and time, updated before use. k falls linearly to 0 during training, so
the network that separates has no extra part. Gradient flows through x alone.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainables.networks.masking_separator import MaskingSeparator

_DEVIATION_EPS = 1e-5
_RATIO_RANGE = (0.1, 10.0)
_MOMENTUM = 0.99


class FeatureNormalization(nn.Module):
    """Hooks before the chosen blocks (counted from 1) of `network`, and a frozen copy for single voices.

    `network` keeps the hooks; nothing happens while the strength is 0.
    """

    strength: Tensor

    def __init__(self, network: MaskingSeparator, pretrained: MaskingSeparator, blocks: tuple[int, ...]):
        super().__init__()
        self.blocks = blocks
        self.voices = pretrained.requires_grad_(False).eval()
        channels = network.masker.block_channels
        self.statistics = nn.ModuleDict({str(block): RunningStatistics(channels) for block in blocks})
        self.register_buffer("strength", torch.zeros(()))
        for block in blocks:
            hook = partial(self._normalize, str(block))
            network.masker.blocks[block - 1].register_forward_pre_hook(hook)
        self._targets: dict[str, tuple[Tensor, Tensor]] = {}

    def train(self, mode: bool = True) -> "FeatureNormalization":
        """The copy for single voices stays in evaluation mode."""
        super().train(mode)
        self.voices.train(False)
        return self

    def take_targets(self, clean: Tensor) -> None:
        """Measure (batch, sources, samples) voices, one at a time, for the next pass of a training batch."""
        if float(self.strength) == 0.0:
            return
        found: dict[str, tuple[Tensor, Tensor]] = {}
        handles = [
            self.voices.masker.blocks[block - 1].register_forward_pre_hook(partial(_keep, found, str(block)))
            for block in self.blocks
        ]
        with torch.no_grad():
            self.voices.masker.context(self.voices.encode(clean.flatten(0, 1)))
        for handle in handles:
            handle.remove()
        self._targets = found

    def diagnostics(self) -> dict[str, float]:
        """|log r| per block, and k."""
        ratios = {
            f"block{block}/log_ratio_mean": float(self._statistics(str(block)).ratio.log().abs().mean())
            for block in self.blocks
        }
        return {**ratios, "normalization/k": float(self.strength)}

    def _normalize(self, name: str, block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        features, *rest = inputs
        if float(self.strength) == 0.0:
            return inputs
        statistics = self._statistics(name)
        if name in self._targets:
            statistics.update(channel_statistics(features), self._targets.pop(name))
        return (statistics.normalize(features, self.strength), *rest)

    def _statistics(self, name: str) -> "RunningStatistics":
        found = self.statistics[name]
        assert isinstance(found, RunningStatistics)
        return found


class RunningStatistics(nn.Module):
    """Exponential averages of both sides' means and of the deviations' ratio, (channels,) each."""

    sums: Tensor
    weight: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("sums", torch.zeros(3, channels))
        self.register_buffer(
            "weight", torch.zeros(())
        )  # dividing by it frees the average of its starting value

    @torch.no_grad()
    def update(self, mixture: tuple[Tensor, Tensor], voices: tuple[Tensor, Tensor]) -> None:
        """Take in one batch's (mean, deviation) of either side."""
        ratio = ((voices[1] + _DEVIATION_EPS) / (mixture[1] + _DEVIATION_EPS)).clamp(*_RATIO_RANGE)
        self.sums.mul_(_MOMENTUM).add_(torch.stack([mixture[0], voices[0], ratio]))
        self.weight.mul_(_MOMENTUM).add_(1.0)

    @property
    def ratio(self) -> Tensor:
        """r; 1 before the first batch."""
        return torch.where(self.weight > 0, self._averages[2], 1.0)

    def normalize(self, features: Tensor, k: Tensor) -> Tensor:
        """The affine map of the module's docstring on (batch, channels, ...)."""
        mixture_mean, voices_mean, _ = self._averages
        scale = 1.0 + k * (self.ratio - 1.0)
        shift = k * (voices_mean - self.ratio * mixture_mean)
        shape = (-1, *[1] * (features.dim() - 2))
        return scale.view(shape) * features + shift.view(shape)

    @property
    def _averages(self) -> Tensor:
        return self.sums / self.weight.clamp_min(1e-12)


@torch.no_grad()
def channel_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased deviation per channel of (batch, channels, ...), in float32."""
    by_channel = features.float().transpose(0, 1).flatten(1)
    return by_channel.mean(1), by_channel.std(1, correction=0)


def _keep(
    found: dict[str, tuple[Tensor, Tensor]], name: str, block: nn.Module, inputs: tuple[Any, ...]
) -> None:
    found[name] = channel_statistics(inputs[0])
