"""How loud a signal is: powers without the constant offset, which is inaudible.

Every level of the package is one of these: the SNR of a mixture, drawn or measured, what counts as silence or as
speech, the level of one voice over another. Signals are float (samples,), powers are relative to full scale squared.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating)

NEGLIGIBLE_OFFSET = -30.0  # dB below the rest of the signal: it changes a level by less than 0.005 dB
ACTIVE_FRAME = 320  # samples, 20 ms at 16 kHz
ACTIVE_RANGE = 30.0  # dB below the loudest frame
_SMALLEST = 1e-20


def without_offset(samples: NDArray[Float]) -> NDArray[Float]:
    """(samples,) or (voices, samples) less its mean; the same array, bit for bit, where the offset is negligible."""
    if samples.ndim > 1:
        return np.stack([without_offset(voice) for voice in samples])
    if not offset_matters(samples):
        return samples
    return samples - samples.dtype.type(samples.mean(dtype=np.float64))


def offset_matters(samples: NDArray[np.floating], threshold: float = NEGLIGIBLE_OFFSET) -> bool:
    """Whether the mean of a signal, (samples,), is above `threshold` dB of the rest of it."""
    if not len(samples):
        return False
    square = float(samples.mean(dtype=np.float64)) ** 2
    rest = max(_energy(samples) / len(samples) - square, 0.0)
    return square > rest * 10 ** (threshold / 10)


def power(samples: NDArray[np.floating]) -> float:
    """Mean square without the offset."""
    return _energy(without_offset(samples)) / max(len(samples), 1)


def active_power(samples: NDArray[np.floating]) -> float:
    """Mean power over the 20 ms frames within 30 dB of the loudest frame, without the offset."""
    samples = without_offset(samples)
    whole = len(samples) // ACTIVE_FRAME * ACTIVE_FRAME
    frames = samples[:whole].reshape(-1, ACTIVE_FRAME)
    energies = np.append(np.einsum("ij,ij->i", frames, frames), _energy(samples[whole:]))
    lengths = np.append(np.full(len(frames), ACTIVE_FRAME), len(samples) - whole)
    powers = energies / np.maximum(lengths, 1)
    active = powers >= powers.max() * 10 ** (-ACTIVE_RANGE / 10)
    return float(energies[active].sum() / max(lengths[active].sum(), 1))


def decibels(power: float, reference: float = 1.0) -> float:
    """A power over another in dB; finite for silence."""
    return float(10 * np.log10(max(power, _SMALLEST) / max(reference, _SMALLEST)))


def _energy(samples: NDArray[np.floating]) -> float:
    """Sum of squares; einsum, because BLAS may spread a dot product over threads and change its bits."""
    return float(np.einsum("i,i->", samples, samples))
