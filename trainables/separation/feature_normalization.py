"""Feature normalization (Yang and Kang, Algorithm 1) carried over to separation.

Pre-training sees one voice at a time, fine-tuning several at once. At the input of a chosen block every channel of
the mixture's features is moved by the affine map of normalization/moments.py towards the mean and deviation that a
frozen copy of the pre-trained network gives for the single voices ("clean" there), with running statistics over batch
and time, padding left out, updated before use; momenta are the paper's. k falls linearly to 0 during training, so the
network that is deployed has no extra part. Gradient flows through x alone.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainables.base.padding import where_padded
from trainables.networks.masking_separator import MaskingSeparator
from trainables.normalization.moments import Moments, moments
from trainables.normalization.running_statistics import NormalizedSites


class FeatureNormalization(NormalizedSites):
    """Hooks before the chosen blocks (counted from 1) of `network`, and a frozen copy for single voices.

    `network` keeps the hooks, which do nothing while the strength is 0.
    """

    def __init__(self, network: MaskingSeparator, pretrained: MaskingSeparator, blocks: tuple[int, ...]):
        masker = network.masker
        channels = dict.fromkeys(blocks, masker.block_channels)
        super().__init__(channels, len(masker.blocks) + 1)  # there is no block 0
        self.voices = pretrained.requires_grad_(False).eval()
        for block in blocks:
            masker.blocks[block - 1].register_forward_pre_hook(partial(self._normalize, block))
        self._targets: dict[int, Moments] = {}
        self._real: Tensor | None = None  # where a mixture's features are no padding, while there are targets

    def train(self, mode: bool = True) -> "FeatureNormalization":
        """The copy for single voices stays in evaluation mode."""
        super().train(mode)
        self.voices.train(False)
        return self

    def take_targets(self, clean: Tensor, lengths: Tensor) -> None:
        """Measure (batch, sources, samples) voices, one at a time, for the next pass of a training batch.

        `lengths` (batch,) are the valid samples.
        """
        if not self.strengths.any():
            return
        found: dict[int, Moments] = {}
        voices, each = clean.flatten(0, 1), lengths.repeat_interleave(clean.shape[1])
        with torch.no_grad():
            encoded = self.voices.encode(voices)
            valid = self.voices.valid(encoded, each.to(clean.device))
            assert valid is not None
            real = self.voices.masker.at_blocks(valid)
            handles = [
                self.voices.masker.blocks[block - 1].register_forward_pre_hook(partial(_keep, found, block, real))
                for block in self.sites
            ]
            self.voices.masker.context(encoded, valid if where_padded(voices, each) is not None else None)
        for handle in handles:
            handle.remove()
        self._targets, self._real = found, real[:: clean.shape[1]]

    def diagnostics(self) -> dict[str, float]:
        """|log r| per block, and k."""
        ratios = {
            f"block{block}/log_ratio_mean": self.running(block).diagnostics()["log_ratio_mean"] for block in self.sites
        }
        return {**ratios, "normalization/k": float(self.strengths.max())}

    def _normalize(self, block: int, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        features, *rest = inputs
        statistics, k = self.running(block), self.strengths[block]
        if float(k) == 0.0:
            return inputs
        if block in self._targets:
            statistics.update(moments(features, self._real), self._targets.pop(block))
        return (statistics.normalize(features, k), *rest)


def _keep(found: dict[int, Moments], block: int, real: Tensor, module: nn.Module, inputs: tuple[Any, ...]) -> None:
    found[block] = moments(inputs[0], real)
