"""DEMUCS, the waveform U-Net for speech enhancement.

Defossez, Synnaeve and Adi, "Real time speech enhancement in the waveform domain", Interspeech 2020. Parameters bear the
names of the authors' code, so that their weights load as they are: `encoder.0.0.weight`, `lstm.lstm.weight_ih_l0`.
"""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_FLOOR = 1e-3  # added to an input's standard deviation before it is divided by it
_RESCALE = 0.1  # of the initial weights: towards this standard deviation
_LSTM_LAYERS = 2
# Of the published causal models; what differs between them is `hidden`.
DEFAULTS = {"depth": 5, "kernel": 8, "stride": 4, "resample": 4}
_ZEROS = 56  # crossings of the sinc on either side, in samples of the lower rate


class Demucs(nn.Module):
    """`depth` halvings of strided convolutions, a recurrent middle, and their mirror image with skips.

    The published models are causal, with hidden 48 (18,867,937 parameters) and 64 (33,533,569).

    Args:
        hidden: channels of the first layer; each deeper one has twice as many.
        depth: number of encoder layers.
        kernel: taps of the strided convolutions.
        stride: their stride; `stride ** depth / resample` samples make one frame of the middle.
        resample: 1, 2 or 4, by how much the input is upsampled first.
        causal: one-directional LSTM; otherwise both directions and a linear layer.
    """

    def __init__(
        self, hidden: int, depth: int = 5, kernel: int = 8, stride: int = 4, resample: int = 4, causal: bool = True
    ):
        super().__init__()
        if resample not in (1, 2, 4):
            raise ValueError(f"resample={resample}: upsampling is by 1, 2 or 4")
        self.depth, self.kernel, self.stride, self.resample = depth, kernel, stride, resample
        widths = [1, *(hidden * 2**level for level in range(depth))]
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
                nn.ConvTranspose1d(inner, outer, kernel, stride),
                *([] if outer == 1 else [nn.ReLU()]),
            )
            for outer, inner in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.lstm = _Recurrent(widths[-1], causal)
        _rescale(self)

    def forward(self, mixture: Tensor) -> Tensor:
        """(batch, samples) mixtures -> (batch, samples) estimates, at the mixture's level."""
        samples = mixture.shape[-1]
        level = mixture.std(dim=-1, keepdim=True)
        padded = functional.pad(mixture / (_FLOOR + level), (0, self.valid_samples(samples) - samples))
        features = self._upsampled(padded)[:, None]
        skips = []
        for encode in self.encoder:
            features = encode(features)
            skips.append(features)
        features = self.lstm(features)
        for decode in self.decoder:
            features = decode(features + skips.pop()[..., : features.shape[-1]])
        return level * self._downsampled(features[:, 0])[:, :samples]

    def valid_samples(self, samples: int) -> int:
        """The smallest length from `samples` on at which no layer leaves samples over."""
        length = samples * self.resample
        for _ in range(self.depth):
            length = max(math.ceil((length - self.kernel) / self.stride) + 1, 1)
        for _ in range(self.depth):
            length = (length - 1) * self.stride + self.kernel
        return math.ceil(length / self.resample)

    def _upsampled(self, wave: Tensor) -> Tensor:
        for _ in range(int(math.log2(self.resample))):
            wave = upsampled(wave)
        return wave

    def _downsampled(self, wave: Tensor) -> Tensor:
        for _ in range(int(math.log2(self.resample))):
            wave = downsampled(wave)
        return wave


class _Recurrent(nn.Module):
    """(batch, channels, frames) -> the same shape."""

    def __init__(self, channels: int, causal: bool):
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, _LSTM_LAYERS, bidirectional=not causal)
        self.linear = None if causal else nn.Linear(2 * channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        output, _ = self.lstm(features.permute(2, 0, 1))
        return (output if self.linear is None else self.linear(output)).permute(1, 2, 0)


def upsampled(wave: Tensor) -> Tensor:
    """(batch, samples) at twice the rate, by windowed sinc interpolation."""
    between = functional.conv1d(wave[:, None], _half_sample_shift(wave), padding=_ZEROS)[:, 0, 1:]
    return torch.stack([wave, between], dim=-1).flatten(1)


def downsampled(wave: Tensor) -> Tensor:
    """(batch, samples) at half the rate, the aliasing half of the band filtered out first."""
    even, odd = functional.pad(wave, (0, wave.shape[-1] % 2)).unflatten(-1, (-1, 2)).unbind(-1)
    return 0.5 * (even + functional.conv1d(odd[:, None], _half_sample_shift(wave), padding=_ZEROS)[:, 0, :-1])


def _half_sample_shift(like: Tensor) -> Tensor:
    """The odd taps of a Hann-windowed sinc, (1, 1, taps)."""
    window = torch.hann_window(4 * _ZEROS + 1, periodic=False)[1::2]
    times = torch.linspace(-_ZEROS + 0.5, _ZEROS - 0.5, 2 * _ZEROS)
    return (torch.sinc(times) * window).to(like)[None, None]


@torch.no_grad()
def _rescale(network: nn.Module) -> None:
    """Divide each convolution's weight and bias by sqrt(std / 0.1), std that of its weight (Defossez et al., 2019)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            scale = (layer.weight.std() / _RESCALE).sqrt()
            layer.weight /= scale
            if layer.bias is not None:
                layer.bias /= scale
