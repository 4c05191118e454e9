"""LSD: how far two log spectra lie apart, in dB; less is better.

Gray & Markel: "Distance measures for speech processing", IEEE TASSP 1976, with the frames, the level fit and the floor
of the URGENT challenges' evaluation script (32 ms, half overlapping), whose figures are of natural logarithms: ours
divided by 4.343. Bandwidth extension mostly reports common logarithms (ours divided by 10), without the level fit and
of longer frames.
"""

import numpy as np

from trainables.metrics import Unscorable

FRAME_SECONDS, HOP_SECONDS = 0.032, 0.016
FLOOR = 1e-8
DECIBELS = 10 / np.log(10)  # from natural logarithms of powers


def log_spectral_distance(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """LSD in dB of `estimate` from `reference`, both (samples,) at `sample_rate` Hz; 0 is perfect.

    Root mean square over frequencies, then the mean over frames. The estimate is first brought to the level (and sign)
    at which it is nearest to the reference. As in the script, a bin in which the reference is exactly zero counts 80 dB
    whatever the estimate: digital silence costs every system the same.
    Raises Unscorable("too_short") under one frame.
    """
    size, hop = int(sample_rate * FRAME_SECONDS), int(sample_rate * HOP_SECONDS)
    if len(reference) < size:
        raise Unscorable("too_short")
    reference, estimate = reference.astype(np.float64), estimate.astype(np.float64)
    fitted = estimate * ((reference @ estimate) / (estimate @ estimate + FLOOR))
    ours, theirs = _magnitudes(reference, size, hop), _magnitudes(fitted, size, hop)
    difference = np.log(np.square(ours) / np.square(theirs + FLOOR) + FLOOR)
    return float(DECIBELS * np.sqrt(np.square(difference).mean(axis=1)).mean())


def _magnitudes(signal: np.ndarray, size: int, hop: int) -> np.ndarray:
    """(samples,) -> (frames, bins): periodic Hann windows, centred, with zeros beyond both ends."""
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(signal, size // 2), size)[::hop]
    return np.abs(np.fft.rfft(frames * window))
