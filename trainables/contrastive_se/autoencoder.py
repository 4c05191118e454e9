"""The waveform autoencoder of the contrastive report: encoder -> predictor -> decoder, one frame per 64 samples.

Tables 6-8 of the report, to the parameter: 5,064,064 at size "base", of which the encoder has 1,752,896.
All convolutions pad with zeros to "same" length, have stride 1 and a bias. The report's "about 26M" is most
probably the 26.00 MiB of these weights plus a momentum copy of the encoder, in float32.

Where a batch is padded, `valid` (batch, 1, frames) is 0 in the padding: convolutions see zeros there and batch norms
leave it out. None = no padding.
"""

import torch
from torch import Tensor, nn

from trainables.base.padding import batch_norm, masked
from trainables.contrastive_se.config import ContrastiveSEConfig, Widths

HOP = 64  # samples per frame
_POOL = 4  # three poolings make a hop
_KERNEL = 5
_LOCAL_KERNEL, _DILATED_KERNEL, _DILATION = 31, 9, 16  # a large kernel, decomposed: 2 d - 1 taps, 9 every d


def down_sample_block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, GELU, max pooling by 4, batch norm: (batch, inputs, L) -> (batch, outputs, L / 4)."""
    return nn.Sequential(_same(inputs, outputs, _KERNEL), nn.GELU(), nn.MaxPool1d(_POOL), nn.BatchNorm1d(outputs))


class MainBlock(nn.Module):
    """A residual block with a large decomposed kernel: (batch, channels, frames) -> the same shape.

    Expand to 2 x hidden and split; one half goes through the 31-tap and the dilated convolution (spanning 129
    frames) and is added to the other half; contract and add to the block's input.
    """

    def __init__(self, channels: int, hidden: int, groups: int, skip_other: bool = True):
        super().__init__()
        self.skip_other = skip_other
        self.expand = nn.Sequential(nn.BatchNorm1d(channels), _same(channels, 2 * hidden, _KERNEL), nn.GELU())
        self.large = nn.Sequential(
            nn.BatchNorm1d(hidden),
            _same(hidden, hidden, _LOCAL_KERNEL, groups=groups),
            nn.GELU(),
            _same(hidden, hidden, _DILATED_KERNEL, groups=groups, dilation=_DILATION),
            nn.GELU(),
        )
        self.contract = nn.Sequential(nn.BatchNorm1d(hidden), _same(hidden, channels, _KERNEL), nn.GELU())

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        wide, other = _through(self.expand, frames, valid).chunk(2, dim=1)
        skip = other if self.skip_other else wide
        return frames + _through(self.contract, _through(self.large, wide, valid) + skip, valid)


class Encoder(nn.Module):
    """(batch, samples) -> z (batch, channels, samples / 64); samples must be a multiple of 64."""

    def __init__(self, widths: Widths, skip_other: bool = True):
        super().__init__()
        channels, (first, second) = widths.channels, widths.pooled
        self.pooled = nn.Sequential(
            down_sample_block(1, first),
            down_sample_block(first, second),
            down_sample_block(second, channels),
        )
        self.patches = _same(HOP, channels, 3)
        self.fuse = _same(2 * channels, channels, 1)
        self.blocks = _main_blocks(widths, widths.encoder_blocks, skip_other)

    def forward(self, wave: Tensor, valid: Tensor | None = None) -> Tensor:
        pooled = _through(self.pooled, wave[:, None], valid)
        patches = self.patches(wave.unflatten(1, (-1, HOP)).transpose(1, 2))
        return _through(self.blocks, self.fuse(torch.cat([pooled, patches], dim=1)), valid)


class Decoder(nn.Module):
    """(batch, channels, frames) -> (batch, 64 x frames) samples."""

    def __init__(self, widths: Widths, skip_other: bool = True):
        super().__init__()
        self.blocks = _main_blocks(widths, widths.decoder_blocks, skip_other)
        self.unpatch = _same(widths.channels, HOP, 3)

    def forward(self, frames: Tensor, valid: Tensor | None = None) -> Tensor:
        return self.unpatch(masked(_through(self.blocks, frames, valid), valid)).transpose(1, 2).flatten(1)


class Autoencoder(nn.Module):
    """The network that is deployed."""

    def __init__(self, config: ContrastiveSEConfig):
        super().__init__()
        widths, skip_other = config.widths, config.inner_skip == "other"
        self.encoder = Encoder(widths, skip_other)
        self.predictor = _main_blocks(widths, widths.predictor_blocks, skip_other)
        self.decoder = Decoder(widths, skip_other)
        self._decodes_predictor = config.decoder_input == "predictor"

    def encode(self, wave: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(batch, samples) -> z and p = predictor(z), both (batch, channels, frames)."""
        encoded = self.encoder(wave, valid)
        return encoded, _through(self.predictor, encoded, valid)

    def decode(self, encoded: Tensor, predicted: Tensor, valid: Tensor | None = None) -> Tensor:
        """z and p -> the estimate, (batch, samples)."""
        return self.decoder(predicted if self._decodes_predictor else encoded, valid)

    def last_shared_weights(self) -> Tensor:
        """Of the last convolution that enhancement and contrastive learning both train."""
        shared = self.predictor if self._decodes_predictor and len(self.predictor) else self.encoder
        return [module for module in shared.modules() if isinstance(module, nn.Conv1d)][-1].weight

    def forward(self, wave: Tensor) -> Tensor:
        """(batch, samples) -> the estimate, (batch, samples)."""
        return self.decode(*self.encode(wave))


def _main_blocks(widths: Widths, count: int, skip_other: bool) -> nn.Sequential:
    blocks = (MainBlock(widths.channels, widths.hidden, widths.groups, skip_other) for _ in range(count))
    return nn.Sequential(*blocks)


def _through(layers: nn.Sequential, features: Tensor, valid: Tensor | None) -> Tensor:
    """The layers one after the other, at whatever rate they are."""
    if valid is None:
        return layers(features)
    for layer in layers:
        here = valid.repeat_interleave(features.shape[-1] // valid.shape[-1], dim=-1)
        if isinstance(layer, nn.Sequential):
            features = _through(layer, features, valid)
        elif isinstance(layer, MainBlock):
            features = layer(features, valid)
        elif isinstance(layer, nn.BatchNorm1d):
            features = batch_norm(layer, features, here)
        else:
            features = layer(masked(features, here))
    return features


def _same(inputs: int, outputs: int, kernel: int, groups: int = 1, dilation: int = 1) -> nn.Conv1d:
    padding = dilation * (kernel // 2)
    return nn.Conv1d(inputs, outputs, kernel, padding=padding, groups=groups, dilation=dilation)
