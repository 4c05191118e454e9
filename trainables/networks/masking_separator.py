"""The frame that time-domain separators share: learned encoder, masks, learned decoder.

Luo and Mesgarani, "Conv-TasNet", TASLP 2019, section II. A masker (conv_tasnet.py, dual_path.py) turns
encoder output into one mask per source; the decoder is shared by the sources. Nothing in the frame or in the
maskers normalizes over the batch, so a mixture is separated the same way alone and in company.
"""

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional

_NORM_EPS = 1e-8


def global_norm(channels: int) -> nn.GroupNorm:
    """gLN: mean and variance over (channels, time) of each item, then a gain and a bias per channel."""
    return nn.GroupNorm(1, channels, eps=_NORM_EPS)


class Masker(nn.Module):
    """Estimates masks from encoder output.

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
    def context(self, encoded: Tensor) -> Tensor:
        """(batch, filters, frames) -> (batch, context_channels, frames): what the masks are computed from."""

    def forward(self, encoded: Tensor) -> Tensor:
        """(batch, filters, frames) -> (batch, sources, filters, frames) masks."""
        return self.head(self.context(encoded))


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

    def forward(self, mixture: Tensor) -> Tensor:
        """(batch, samples) -> (batch, sources, samples); at least `kernel` samples."""
        encoded = self.encode(mixture)
        return self.decode(self.masker(encoded) * encoded[:, None], mixture.shape[-1])

    def encode(self, mixture: Tensor) -> Tensor:
        """(batch, samples) -> (batch, filters, frames); samples that fill no frame are left out."""
        encoded = self.encoder(mixture[:, None])
        return functional.relu(encoded) if self.rectify else encoded

    def decode(self, masked: Tensor, samples: int) -> Tensor:
        """(batch, sources, filters, frames) -> (batch, sources, samples), zeros where no frame reaches."""
        batch, sources = masked.shape[:2]
        waves = self.decoder(masked.flatten(0, 1))[:, 0]
        return functional.pad(waves, (0, samples - waves.shape[-1])).view(batch, sources, samples)
