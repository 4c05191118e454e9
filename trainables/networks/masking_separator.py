"""The frame that time-domain separators share: learned encoder, masks, learned decoder.

Luo and Mesgarani, "Conv-TasNet", TASLP 2019, section II. A masker (conv_tasnet.py, dual_path.py) turns
encoder output into one mask per source; the decoder is shared by the sources. Nothing in the frame or in the
maskers normalizes over the batch, and padding is masked wherever frames see each other, so a mixture is separated the
same way alone and in company. (asteroid's networks see the zeros; its data sets have no shorter mixtures.)
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import masked, valid_mask, where_padded

_NORM_EPS = 1e-8


def global_norm(channels: int) -> nn.GroupNorm:
    """gLN: mean and variance over (channels, time) of each item, then a gain and a bias per channel."""
    return nn.GroupNorm(1, channels, eps=_NORM_EPS)


class Masker(nn.Module):
    """Estimates masks from encoder output. `valid` (batch, 1, frames) is 0 in the padding, None where there is none.

    Attributes:
        blocks: the body, walked in order; each takes (batch, channels, ...) features first.
        head: what follows the body; its `output` layer alone depends on the number of sources.
        filters: channels of the encoder's output.
        block_channels: channels that enter a block.
        context_channels: channels of `context`.
    """

    blocks: nn.ModuleList
    head: nn.Module
    filters: int
    block_channels: int
    context_channels: int

    @abstractmethod
    def context(self, encoded: Tensor, valid: Tensor | None = None) -> Tensor:
        """(batch, filters, frames) -> (batch, context_channels, frames): what the masks are computed from."""

    def forward(self, encoded: Tensor, valid: Tensor | None = None) -> Tensor:
        """(batch, filters, frames) -> (batch, sources, filters, frames) masks."""
        return self.head(self.context(encoded, valid))

    def at_blocks(self, frames: Tensor) -> Tensor:
        """(batch, 1, frames), 1 where a frame is real -> the same of the features that enter a block."""
        return frames


class MaskingSeparator(nn.Module):
    """Encoder `Conv1d(1, filters, kernel)`, masker, decoder `ConvTranspose1d(filters, 1, kernel)`; no bias.

    The stride is half the kernel. `rectify` puts a ReLU behind the encoder (DPTNet).
    """

    def __init__(self, masker: Masker, kernel: int, rectify: bool = False):
        super().__init__()
        self.kernel = kernel
        self.rectify = rectify
        self.encoder = nn.Conv1d(1, masker.filters, kernel, kernel // 2, bias=False)
        self.masker = masker
        self.decoder = nn.ConvTranspose1d(masker.filters, 1, kernel, kernel // 2, bias=False)
        for filterbank in (self.encoder, self.decoder):
            nn.init.xavier_normal_(filterbank.weight)

    def forward(self, mixture: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) -> (batch, sources, samples); at least `kernel` samples.

        `lengths` (batch,) are the valid samples of a zero-padded batch; estimates are zero beyond.
        """
        encoded = self.encode(mixture)
        valid = self.valid(encoded, where_padded(mixture, lengths))
        estimates = self.masker(encoded, valid) * encoded[:, None]
        return self.decode(estimates if valid is None else masked(estimates, valid[:, None]), mixture.shape[-1])

    def valid(self, encoded: Tensor, lengths: Tensor | None) -> Tensor | None:
        """(batch, 1, frames) of `encoded`, 1 where a frame lies within `lengths` (batch,) samples; None for None."""
        if lengths is None:
            return None
        frames = torch.div(lengths - self.kernel, self.kernel // 2, rounding_mode="floor") + 1
        return valid_mask(encoded[:, 0], frames.clamp(min=1))[:, None]

    def encode(self, mixture: Tensor) -> Tensor:
        """(batch, samples) -> (batch, filters, frames); samples that fill no frame are left out."""
        encoded = self.encoder(mixture[:, None])
        return functional.relu(encoded) if self.rectify else encoded

    def decode(self, masked: Tensor, samples: int) -> Tensor:
        """(batch, sources, filters, frames) -> (batch, sources, samples), zeros where no frame reaches."""
        batch, sources = masked.shape[:2]
        waves = self.decoder(masked.flatten(0, 1))[:, 0]
        return functional.pad(waves, (0, samples - waves.shape[-1])).view(batch, sources, samples)
