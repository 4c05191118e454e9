"""Gain, polarity and lag of an estimate: faults that most metrics cannot see.

PESQ, STOI and SI-SDR are blind to level and mostly to sign, segmental SNR and CBAK are not; a published
table with a good PESQ and a segmental SNR of -4 dB is explained by one of these three.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

LARGEST_LAG_SECONDS = 0.020


@dataclass(frozen=True)
class Alignment:
    """Level, sign and delay of an estimate against its reference."""

    gain: float  # <estimate, reference> / <reference, reference>, unaligned; 1 is right
    polarity: int  # sign of the correlation at `lag`: -1 flipped, 0 uncorrelated
    lag: int  # samples by which the estimate is late


def align(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> Alignment:
    """Gain, polarity and lag (within +-20 ms) of `estimate` on `reference`, both (samples,).

    The lag is where the correlation's *magnitude* peaks, so that a flipped estimate still shows its own.
    """
    reference, estimate = reference.astype(np.float64), estimate.astype(np.float64)
    correlation = _cross_correlation(reference, estimate, round(LARGEST_LAG_SECONDS * sample_rate))
    peak = int(np.argmax(np.abs(correlation)))
    return Alignment(
        gain=float((estimate @ reference) / (reference @ reference)),
        polarity=int(np.sign(correlation[peak])),
        lag=peak - len(correlation) // 2,
    )


def _cross_correlation(reference: np.ndarray, estimate: np.ndarray, largest_lag: int) -> np.ndarray:
    """sum_n reference[n] estimate[n + lag] for lags -largest_lag .. largest_lag, (2 largest_lag + 1,).

    Block by block, each of the reference with as much of the estimate as lags reach: the lags are few, and short
    transforms stay in the processor's cache.
    """
    from scipy import fft

    size = 1 << (8 * largest_lag).bit_length()
    step = size - 2 * largest_lag
    blocks = -(-len(reference) // step)
    references = np.zeros((blocks, size))
    references[:, :step] = np.pad(reference, (0, blocks * step - len(reference))).reshape(blocks, step)
    reached = np.pad(estimate, (largest_lag, blocks * step - len(estimate) + largest_lag))
    estimates = sliding_window_view(reached, size)[::step]
    spectrum = (np.conj(fft.rfft(references)) * fft.rfft(estimates)).sum(axis=0)
    return np.asarray(fft.irfft(spectrum, size)[: 2 * largest_lag + 1])
