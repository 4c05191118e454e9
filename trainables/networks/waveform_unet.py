"""The frame that DEMUCS and SE-Conformer share: a U-Net of strided convolutions on an upsampled waveform.

Defossez, Synnaeve and Adi, "Real time speech enhancement in the waveform domain", Interspeech 2020. Parameters bear the
names of the authors' code: `encoder.0.0.weight`. What lies between encoder and decoder is a network's own.

Nothing here is normalized over the batch, and wherever samples or frames see each other those of the padding are zero:
an item of a padded batch comes out as it does alone.
"""

import itertools
import math
from abc import abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.base.padding import masked, valid_mask, where_padded

_FLOOR = 1e-3  # added to an input's standard deviation before it is divided by it
_RESCALE = 0.1  # of the initial weights: towards this standard deviation
_ZEROS = 56  # crossings of the sinc on either side, in samples of the lower rate


class WaveformUNet(nn.Module):
    """`depth` halvings of strided convolutions, a middle, and their mirror image with skips.

    Args:
        hidden: channels of the first layer; each deeper one has twice as many.
        depth: number of encoder layers.
        kernel: taps of the strided convolutions.
        stride: their stride; `stride ** depth / resample` samples make one frame of the middle.
        resample: 1, 2 or 4, by how much the input is upsampled first.
        rectify: a ReLU behind the GLU of every decoder layer (SE-Conformer).

    Attributes:
        width: channels of the middle.
    """

    def __init__(self, hidden: int, depth: int, kernel: int, stride: int, resample: int, rectify: bool = False):
        super().__init__()
        if resample not in (1, 2, 4):
            raise ValueError(f"resample={resample}: upsampling is by 1, 2 or 4")
        self.depth, self.kernel, self.stride, self.resample = depth, kernel, stride, resample
        widths = [1, *(hidden * 2**level for level in range(depth))]
        self.width = widths[-1]
        self.encoder = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(outer, inner, kernel, stride), nn.ReLU(), nn.Conv1d(inner, 2 * inner, 1), nn.GLU(dim=1)
            )
            for outer, inner in itertools.pairwise(widths)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(inner, 2 * inner, 1),
                nn.GLU(dim=1),
                *([nn.ReLU()] if rectify else []),
                nn.ConvTranspose1d(inner, outer, kernel, stride),
                *([] if outer == 1 else [nn.ReLU()]),
            )
            for outer, inner in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )

    @abstractmethod
    def middle(self, features: Tensor, counts: Tensor | None) -> Tensor:
        """(batch, width, frames), of which `counts` (batch,) are no padding, None = all -> the same shape."""

    def forward(self, mixture: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, samples) mixtures -> (batch, samples) estimates, at the mixture's level; at least two samples.

        `lengths` (batch,) are the valid samples of a zero-padded batch; estimates are zero beyond.
        """
        samples, lengths = mixture.shape[-1], where_padded(mixture, lengths)
        sizes = _Sizes(self, mixture, lengths)
        level = _deviation(mixture, lengths)
        heard = masked(mixture, None if lengths is None else valid_mask(mixture, lengths))
        wave = functional.pad(heard / (_FLOOR + level), (0, self.valid_samples(samples) - samples))
        for doubling in range(self.doublings):
            wave = sizes.padded(upsampled(wave), 2 ** (doubling + 1))
        features, skips = wave[:, None], []
        for encode in self.encoder:
            features = encode(features)
            skips.append(features)
        features = self.middle(features, sizes.frames(0))
        for layer, decode in enumerate(self.decoder):
            features = features + skips.pop()[..., : features.shape[-1]]
            for part in cast(nn.Sequential, decode):
                if isinstance(part, nn.ConvTranspose1d):  # whose frames of padding reach into those before
                    features = sizes.decoded(features, layer)
                features = part(features)
        wave = features[:, 0]
        for halving in range(self.doublings):
            wave = downsampled(sizes.halved(wave, halving))
        estimate = level * wave[:, :samples]
        return masked(estimate, None if lengths is None else valid_mask(mixture, lengths))

    @property
    def doublings(self) -> int:
        """Of the rate, before the encoder."""
        return int(math.log2(self.resample))

    def valid_samples(self, samples: int) -> int:
        """The smallest length from `samples` on at which no layer leaves samples over."""
        length = samples * self.resample
        for _ in range(self.depth):
            length = max(math.ceil((length - self.kernel) / self.stride) + 1, 1)
        for _ in range(self.depth):
            length = (length - 1) * self.stride + self.kernel
        return math.ceil(length / self.resample)


class _Sizes:
    """How long each item of a padded batch is at every stage, alone; where no item is padded, nothing is masked."""

    def __init__(self, network: WaveformUNet, mixture: Tensor, lengths: Tensor | None):
        self._alone: Tensor | None = None
        if lengths is not None:
            self._samples = torch.tensor([network.valid_samples(samples) for samples in lengths.tolist()])
            frames = self._samples * network.resample
            for _ in range(network.depth):
                frames = (frames - network.kernel).div(network.stride, rounding_mode="floor") + 1
            stages = [frames]  # at the middle, and behind every layer of the decoder
            for _ in range(network.depth):
                stages.append((stages[-1] - 1) * network.stride + network.kernel)
            for _ in range(network.doublings):
                stages.append((stages[-1] + 1).div(2, rounding_mode="floor"))
            self._depth, self._alone = network.depth, torch.stack(stages).to(mixture.device)

    def padded(self, wave: Tensor, times: int) -> Tensor:
        """(batch, samples) at `times` the rate, zero beyond each item's own length."""
        return wave if self._alone is None else wave * valid_mask(wave, times * self._samples)

    def frames(self, stage: int) -> Tensor | None:
        """(batch,) at the middle (0), behind a decoder layer (1 to depth) or a halving (beyond)."""
        return None if self._alone is None else self._alone[stage]

    def decoded(self, features: Tensor, stage: int) -> Tensor:
        """(batch, channels, frames), zero beyond each item's own."""
        counts = self.frames(stage)
        return features if counts is None else features * valid_mask(features[:, 0], counts)[:, None]

    def halved(self, wave: Tensor, halving: int) -> Tensor:
        """(batch, samples) that has been halved so often, zero beyond each item's own."""
        return wave if self._alone is None else wave * valid_mask(wave, self._alone[self._depth + halving])


def upsampled(wave: Tensor) -> Tensor:
    """(batch, samples) at twice the rate, by windowed sinc interpolation."""
    between = functional.conv1d(wave[:, None], _half_sample_shift(wave), padding=_ZEROS)[:, 0, 1:]
    return torch.stack([wave, between], dim=-1).flatten(1)


def downsampled(wave: Tensor) -> Tensor:
    """(batch, samples) at half the rate, the aliasing half of the band filtered out first."""
    even, odd = functional.pad(wave, (0, wave.shape[-1] % 2)).unflatten(-1, (-1, 2)).unbind(-1)
    return 0.5 * (even + functional.conv1d(odd[:, None], _half_sample_shift(wave), padding=_ZEROS)[:, 0, :-1])


@torch.no_grad()
def rescale(network: nn.Module) -> None:
    """Divide each convolution's weight and bias by sqrt(std / 0.1), std that of its weight (Defossez et al., 2019)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            scale = (layer.weight.std() / _RESCALE).sqrt()
            layer.weight /= scale
            if layer.bias is not None:
                layer.bias /= scale


def _half_sample_shift(like: Tensor) -> Tensor:
    """The odd taps of a Hann-windowed sinc, (1, 1, taps)."""
    window = torch.hann_window(4 * _ZEROS + 1, periodic=False)[1::2]
    times = torch.linspace(-_ZEROS + 0.5, _ZEROS - 0.5, 2 * _ZEROS)
    return (torch.sinc(times) * window).to(like)[None, None]


def _deviation(mixture: Tensor, lengths: Tensor | None) -> Tensor:
    """(batch, 1) unbiased deviation over each item's valid samples."""
    if lengths is None:
        return mixture.std(dim=-1, keepdim=True)
    valid, count = valid_mask(mixture, lengths), lengths[:, None].to(mixture.dtype)
    mean = (mixture * valid).sum(dim=-1, keepdim=True) / count
    return (((mixture - mean) * valid).square().sum(dim=-1, keepdim=True) / (count - 1)).sqrt()
