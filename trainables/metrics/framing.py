"""Frames and frame averages common to the segmental metrics.

Hu & Loizou: "Evaluation of objective quality measures for speech enhancement", IEEE TASLP 2008, with the
conventions of Loizou's published code, which decide the third digit: 30 ms frames, 75 % overlap, Hann
over N + 1 points, the last whole frame left out, machine epsilon added to the signal.
"""

import numpy as np

from trainables.metrics import Unscorable

FRAME_SECONDS = 0.030
OVERLAPPING_FRAMES = 4  # hop = frame / 4, 75 % overlap
KEPT_SHARE = 0.95  # of the frames, the least distorted ones


def windowed_frames(signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """(samples,) at `sample_rate` Hz -> (frames, frame samples) float64, Hann-windowed.

    Raises Unscorable("too_short") where fewer than two frames fit.
    """
    size = round(FRAME_SECONDS * sample_rate)
    hop = size // OVERLAPPING_FRAMES
    if len(signal) < size + hop:
        raise Unscorable("too_short")
    # Epsilon keeps digital silence from giving 0 / 0 further on.
    padded = signal.astype(np.float64) + np.finfo(np.float64).eps
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:-1]
    return frames * np.hanning(size + 2)[1:-1]


def mean_of_least_distorted(distortions: np.ndarray) -> float:
    """The mean of the lowest 95 % of (frames,) distortions: a few broken frames don't decide."""
    kept = round(len(distortions) * KEPT_SHARE)
    return float(np.sort(distortions)[:kept].mean())
