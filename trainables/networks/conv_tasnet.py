"""Conv-TasNet's masker: a temporal convolutional network with growing dilation.

Luo and Mesgarani, "Conv-TasNet: Surpassing ideal time-frequency magnitude masking for speech separation",
TASLP 2019. The layout is asteroid's, so that its checkpoints load: the last block's residual convolution
feeds nothing, yet is kept.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import group_norm, masked
from trainables.networks.masking_separator import Masker, MaskingSeparator, global_norm

TAPS = 3  # of the depthwise convolutions


def conv_tasnet(sources: int, kernel: int, **sizes: int) -> MaskingSeparator:
    """`sizes` are the masker's; "paper" has 5,050,545 parameters for two sources."""
    return MaskingSeparator(ConvMasker(sources, **sizes), kernel)


class ConvMasker(Masker):
    """`repeats` times `blocks` blocks with dilations 1, 2, 4, ...; masks come from the sum of their skips."""

    def __init__(self, sources: int, filters: int, bottleneck: int, hidden: int, blocks: int, repeats: int):
        super().__init__()
        self.filters = filters
        self.block_channels = self.context_channels = bottleneck
        self.norm = global_norm(filters)
        self.bottleneck = nn.Conv1d(filters, bottleneck, 1)
        self.blocks = nn.ModuleList(
            ConvBlock(bottleneck, hidden, dilation=2**number) for _ in range(repeats) for number in range(blocks)
        )
        self.head = ConvHead(sources, bottleneck, filters)

    def context(self, encoded: Tensor, valid: Tensor | None = None) -> Tensor:
        features = self.bottleneck(group_norm(self.norm, encoded, valid))
        skips = torch.zeros_like(features)
        for block in self.blocks:
            residual, skip = block(features, valid)
            features, skips = features + residual, skips + skip
        return skips


class ConvBlock(nn.Module):
    """1x1 up, depthwise with dilation, 1x1 down twice: residual and skip, (batch, channels, frames) each."""

    def __init__(self, channels: int, hidden: int, dilation: int):
        super().__init__()
        self.expand = nn.Conv1d(channels, hidden, 1)
        self.expand_prelu = nn.PReLU()
        self.expand_norm = global_norm(hidden)
        self.depthwise = nn.Conv1d(hidden, hidden, TAPS, padding=dilation, dilation=dilation, groups=hidden)
        self.depthwise_prelu = nn.PReLU()
        self.depthwise_norm = global_norm(hidden)
        self.residual = nn.Conv1d(hidden, channels, 1)
        self.skip = nn.Conv1d(hidden, channels, 1)

    def forward(self, features: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        wide = group_norm(self.expand_norm, self.expand_prelu(self.expand(features)), valid)
        deep = self.depthwise_prelu(self.depthwise(masked(wide, valid)))
        wide = group_norm(self.depthwise_norm, deep, valid)
        return self.residual(wide), self.skip(wide)


class ConvHead(nn.Module):
    """PReLU, 1x1 convolution to sources x filters, ReLU."""

    def __init__(self, sources: int, channels: int, filters: int):
        super().__init__()
        self.sources = sources
        self.prelu = nn.PReLU()
        self.output = nn.Conv1d(channels, sources * filters, 1)

    def forward(self, context: Tensor) -> Tensor:
        """(batch, channels, frames) -> masks (batch, sources, filters, frames)."""
        scores = self.output(self.prelu(context))
        return functional.relu(scores.unflatten(1, (self.sources, -1)))
