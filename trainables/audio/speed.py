"""Playing a waveform faster or slower by resampling: its length and its pitch change together.

A Hann-windowed sinc, one filter for each phase of the ratio, applied as one strided convolution, on any device.
"""

import math
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from trainables.base.errors import UserError

SLOWEST, FASTEST = 0.5, 2.0
_FINEST = 100  # factors are taken to a hundredth
_ZEROS = 24  # crossings of the sinc on either side
_ROLLOFF = 0.95  # of the lower rate's half: the band that is kept


def speed_ratio(factor: float) -> Fraction:
    """The factor to a hundredth. Raises `UserError` outside 0.5 to 2."""
    if not SLOWEST <= factor <= FASTEST:
        raise UserError(f"speed {factor}: must lie within {SLOWEST} and {FASTEST}")
    return Fraction(round(factor * _FINEST), _FINEST)


def samples_at(factor: float, samples: int) -> int:
    """How many samples are left of `samples`: samples / factor, rounded up."""
    return math.ceil(samples / speed_ratio(factor))


def at_speed(wave: Tensor, factor: float) -> Tensor:
    """The wave as if played `factor` times as fast: a tone of 1 kHz becomes one of factor kHz.

    Args:
        wave: (..., samples).
        factor: 0.5 to 2, taken to a hundredth; 1 gives the wave itself.

    Returns:
        (..., samples_at(factor, samples)); differentiable.

    Raises:
        UserError: the factor is outside 0.5 to 2.
    """
    ratio = speed_ratio(factor)
    return wave if ratio == 1 else resampled(wave, ratio.numerator, ratio.denominator)


def resampled(wave: Tensor, old: int, new: int) -> Tensor:
    """(..., samples) at `old` samples a unit of time -> (..., ceil(samples new / old)) at `new`."""
    shared = math.gcd(old, new)
    old, new = old // shared, new // shared
    filters, reach = _filters(old, new, wave.device, wave.dtype)
    samples = wave.shape[-1]
    padded = functional.pad(wave.reshape(-1, 1, samples), (reach, reach + old))
    phases = functional.conv1d(padded, filters, stride=old)  # (waves, new, about samples / old)
    result = phases.transpose(1, 2).flatten(1)[:, : math.ceil(samples * new / old)]
    return result.reshape(*wave.shape[:-1], -1)


@lru_cache(maxsize=256)
def _filters(old: int, new: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, int]:
    """(new, 1, taps), phase p the filter for the sample at p old / new; and how far it reaches before its first."""
    band = _ROLLOFF * min(1.0, new / old)  # cutoff over half the old rate
    reach = math.ceil(_ZEROS / band)
    taps = torch.arange(-reach, reach + old, dtype=torch.float64)
    distance = taps[None, :] - torch.arange(new, dtype=torch.float64)[:, None] * old / new
    window = torch.cos(distance * (math.pi / 2) * band / _ZEROS).square() * (distance.abs() * band < _ZEROS)
    return (band * torch.sinc(band * distance) * window)[:, None].to(device, dtype), reach
