"""From features to an enhanced waveform: a complex mask (spectral bodies), a U-Net (waveform ones), BSSE's level mask.

They start at or near the identity (mask 1, waveform passed through), so that the first steps already improve on the
mixture instead of finding polarity and level first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trainables.audio.features import BINS, frame_count, istft, stft
from trainables.base.padding import group_norm, masked
from trainables.base.randomness import seed_global_generators
from trainables.losses.complex_mask import compress, decompress
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.body import Body
from trainables.ssl.bodies.waveform_body import CONVOLUTIONS, KERNELS, STRIDES


@dataclass(frozen=True)
class Decoded:
    """An estimate (batch, samples); for mask decoders also what the mask loss compares."""

    wave: Tensor
    mask: Tensor | None = None  # compressed, (batch, 2 x 201, frames): real parts, then imaginary
    spectrum: Tensor | None = None  # of the mixture, complex (batch, 201, frames)


class MaskDecoder(nn.Module):
    """One convolution that predicts the compressed complex ideal ratio mask, real and imaginary."""

    def __init__(self, hidden: int, kernel: int):
        super().__init__()
        self.head = nn.Conv1d(hidden, 2 * BINS, kernel, padding=kernel // 2)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(compress(torch.tensor([1.0] * BINS + [0.0] * BINS)))

    def forward(self, sites: list[Tensor], noisy: Tensor, valid: list[Tensor] | None = None) -> Decoded:
        """Reads the last site, (batch, hidden, frames); `noisy` is (batch, samples).

        `valid`, of a padded batch, masks the waveform and then every site after 0, (batch, 1, frames) each.
        """
        last, lengths = (None, None) if valid is None else (valid[-1], valid[0].sum((1, 2), dtype=torch.int64))
        mask = self.head(masked(sites[-1], last)).float()
        spectrum = stft(noisy, lengths)
        factor = torch.complex(*decompress(mask).chunk(2, dim=1))
        return Decoded(istft(factor * spectrum, noisy.shape[-1], lengths), mask, spectrum)


@dataclass(frozen=True, kw_only=True)
class UNetArchitecture:
    """Widths by convolution, first to last: stage j goes back from convolution j to j - 1."""

    skips: tuple[int, ...]
    outputs: tuple[int, ...]
    group_norm: bool = False  # of every stage before its GELU


# How the tiny widths were chosen: docs/experiments/normalized_ssl.md.
_TINY_UNET = UNetArchitecture(
    skips=(16, 16, 24, 32, 48, 64, 64),
    outputs=(8, 16, 32, 48, 64, 96, 128),
    group_norm=True,
)
_LAST_STAGE = 64  # channels of the base U-Net at the waveform's rate
_BLSTM_WIDTH = {"tiny": 32, "base": 256}
_OPEN = 4.0  # sigmoid(4) = 0.98
_SMALLEST_MAGNITUDE = 1e-8


class UNetDecoder(nn.Module):
    """Seven transposed convolutions that mirror the body's, each reading that convolution's output.

    The last convolution also reads the mixture (as Wave-U-Net does): the body is blind to level.
    """

    def __init__(self, channels: tuple[int, ...], architecture: UNetArchitecture):
        super().__init__()
        inputs = (*architecture.outputs[1:], channels[-1])
        self.skips = nn.ModuleList(nn.Conv1d(channels[j + 1], architecture.skips[j], 1) for j in range(CONVOLUTIONS))
        self.stages = nn.ModuleList(
            nn.ConvTranspose1d(inputs[j] + architecture.skips[j], architecture.outputs[j], KERNELS[j], STRIDES[j])
            for j in range(CONVOLUTIONS)
        )
        self.norms = nn.ModuleList(
            nn.GroupNorm(1, width) if architecture.group_norm else nn.Identity() for width in architecture.outputs
        )
        self.output = nn.Conv1d(architecture.outputs[0] + 1, 1, 1)
        self.output.weight = nn.Parameter(torch.tensor([0.0] * architecture.outputs[0] + [1.0])[None, :, None])
        self.output.bias = nn.Parameter(torch.zeros(1))

    def forward(self, sites: list[Tensor], noisy: Tensor, valid: list[Tensor] | None = None) -> Decoded:
        """Reads sites 1-7 and the last, (batch, channels, frames); `noisy` is (batch, samples).

        `valid` as for `MaskDecoder`.
        """
        x = sites[-1]
        for j in reversed(range(CONVOLUTIONS)):
            frames = sites[j].shape[-1]  # of what convolution j + 1 read: the waveform for j = 0
            read, made = (None, None) if valid is None else (valid[j + 1], valid[j])
            x = masked(torch.cat([x, self.skips[j](sites[j + 1])], dim=1), read)
            x = self.stages[j](x, output_size=[frames])
            norm = self.norms[j]
            x = F.gelu(group_norm(norm, x, made) if isinstance(norm, nn.GroupNorm) else norm(x))
        x = torch.cat([x, noisy[:, None]], dim=1)
        return Decoded(self.output(x)[:, 0].float())


class LevelMaskDecoder(nn.Module):
    """BSSE's: features next to log(1 + |X|) -> two BLSTM layers -> a mask on log(1 + |X|), with the mixture's phase.

    Hung et al., "Boosting self-supervised embeddings for speech enhancement", Interspeech 2022; 2,929,609 parameters
    for 768 channels and a width of 256. Both directions of the BLSTM are added, as in the authors' code (BSSE-SE).
    Decided by us: the mask starts near 1, and a frame of 20 ms is repeated where it is centred, not one frame earlier.
    """

    def __init__(self, hidden: int, width: int, repeats: int):
        """`repeats`: frames of the spectrum for one of the features, 1 (spectral bodies) or 2 (waveform bodies)."""
        super().__init__()
        self.repeats = repeats
        self.expand = nn.Linear(hidden + BINS, width)
        self.context = nn.LSTM(width, width, num_layers=2, batch_first=True, bidirectional=True)
        self.mask = nn.Linear(width, BINS)
        nn.init.zeros_(self.mask.weight)
        nn.init.constant_(self.mask.bias, _OPEN)

    def forward(self, sites: list[Tensor], noisy: Tensor, valid: list[Tensor] | None = None) -> Decoded:
        """Reads the last site, (batch, hidden, frames); `noisy` is (batch, samples), `valid` as for `MaskDecoder`."""
        lengths = None if valid is None else valid[0].sum((1, 2), dtype=torch.int64)
        spectrum = stft(noisy, lengths)
        magnitude = spectrum.abs()
        level = magnitude.log1p()
        features = self._on_frames(sites[-1], None if valid is None else valid[-1], level.shape[2])
        frames = self.expand(torch.cat([features.to(level), level], dim=1).transpose(1, 2))
        forward, backward = self._in_context(frames, lengths).chunk(2, dim=2)
        mask = self.mask(forward + backward).transpose(1, 2).float().sigmoid()
        factor = torch.expm1(mask * level) / magnitude.clamp(min=_SMALLEST_MAGNITUDE)
        return Decoded(istft(factor * spectrum, noisy.shape[-1], lengths))

    def _on_frames(self, features: Tensor, valid: Tensor | None, frames: int) -> Tensor:
        """(batch, hidden, frames of the spectrum): of waveform bodies frame (j - 1) // 2 is nearest to frame j."""
        if self.repeats == 1:
            return features
        places = ((torch.arange(frames, device=features.device) - 1) // self.repeats).clamp(min=0)
        counts = features.new_full((len(features),), features.shape[2]) if valid is None else valid.sum((1, 2))
        places = torch.minimum(places[None], counts.long()[:, None] - 1)  # an item's last frame stays its last
        return features.gather(2, places[:, None].expand(-1, features.shape[1], -1))

    def _in_context(self, frames: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, frames, width) -> (batch, frames, 2 x width); padding is not heard."""
        if lengths is None:
            return self.context(frames)[0]
        packed = pack_padded_sequence(frames, frame_count(lengths).cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.context(packed)[0], batch_first=True, total_length=frames.shape[1])[0]


Decoder = MaskDecoder | UNetDecoder | LevelMaskDecoder


def build_decoder(config: NormalizedSSLConfig, body: Body, seed: int) -> Decoder:
    """The decoder of the body's family or BSSE's, with weights that depend on `seed` and not on the body's."""
    seed_global_generators(seed, f"initial decoder {config.upstream}")
    if config.readout == "bsse":
        return LevelMaskDecoder(body.channels[-1], _BLSTM_WIDTH[config.size], 1 if config.spectral else 2)
    if config.spectral:
        return MaskDecoder(body.channels[-1], config.head_kernel)
    return UNetDecoder(body.channels, _unet(config))


def _unet(config: NormalizedSSLConfig) -> UNetArchitecture:
    if config.size == "tiny":
        return _TINY_UNET
    outputs = (_LAST_STAGE, *(config.decoder_channels,) * (CONVOLUTIONS - 1))
    return UNetArchitecture(skips=(config.skip_channels,) * CONVOLUTIONS, outputs=outputs)
