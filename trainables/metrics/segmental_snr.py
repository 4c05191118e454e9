"""Segmental SNR: the mean of per-frame signal-to-noise ratios. Conventions in `framing`."""

import numpy as np

from trainables.metrics.framing import windowed_frames

LOWEST, HIGHEST = -10.0, 35.0  # dB, per frame
EPS = np.finfo(np.float64).eps


def segmental_snr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Segmental SNR in dB of `estimate` against `reference`, both (samples,) at `sample_rate` Hz.

    Everything that differs from the reference is noise: a wrong gain, sign or delay too.
    Raises Unscorable("too_short") under 37.5 ms.
    """
    clean = windowed_frames(reference, sample_rate)
    noise = clean - windowed_frames(estimate, sample_rate)
    ratios = np.square(clean).sum(axis=1) / (np.square(noise).sum(axis=1) + EPS)
    return float(np.clip(10 * np.log10(ratios + EPS), LOWEST, HIGHEST).mean())


def fitted_segmental_snr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Segmental SNR in dB after the estimate is multiplied by the gain that minimises its squared error.

    Far above the raw figure, it shows that the estimate's only fault is its level or its sign.
    """
    wave = estimate.astype(np.float64)
    gain = (wave @ reference) / (wave @ wave)
    return segmental_snr(reference, gain * wave, sample_rate)
