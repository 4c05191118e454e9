"""Segmental SNR: the mean of per-frame signal-to-noise ratios. Conventions in `framing`."""

import numpy as np

from trainables.metrics.framing import windowed_frames

LOWEST, HIGHEST = -10.0, 35.0  # dB, per frame
EPS = np.finfo(np.float64).eps
_SEARCH, _SEARCH_POINTS = (1.0, 0.05, 0.0025), 20  # dB around the gain, ever finer; points on either side


def segmental_snr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Segmental SNR in dB of `estimate` against `reference`, both (samples,) at `sample_rate` Hz.

    Everything that differs from the reference is noise: a wrong gain, sign or delay too.
    Raises Unscorable("too_short") under 37.5 ms.
    """
    clean = windowed_frames(reference, sample_rate)
    noise = clean - windowed_frames(estimate, sample_rate)
    return float(_frame_snr(np.square(clean).sum(axis=1), np.square(noise).sum(axis=1)).mean())


def fitted_segmental_snr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Segmental SNR in dB after the estimate is brought to the reference's level and sign.

    The gain is the one at which the estimate holds the reference once, and within 1 dB of it, which is what chance
    correlation with noise may hide, the one that scores highest: so the figure is never below the raw one where the
    level was right. Far above it, it shows that the estimate's only fault is its level or its sign. (The gain that
    minimises the squared error would reward noise: it shrinks an estimate the more, the noisier it is.)
    Raises Unscorable("too_short") under 37.5 ms.
    """
    raw = segmental_snr(reference, estimate, sample_rate)
    clean, frames = windowed_frames(reference, sample_rate), windowed_frames(estimate, sample_rate)
    clean_energy, energy = np.square(clean).sum(axis=1), np.square(frames).sum(axis=1)
    product = (clean * frames).sum(axis=1)
    if product.sum() == 0.0:
        return raw
    once, offset, best = clean_energy.sum() / product.sum(), 0.0, raw
    for width in _SEARCH:
        offsets = offset + np.linspace(-width, width, 2 * _SEARCH_POINTS + 1)
        gains = once * 10 ** (offsets[:, None] / 20)
        noise = clean_energy - 2 * gains * product + np.square(gains) * energy
        scores = _frame_snr(clean_energy, noise.clip(min=0.0)).mean(axis=1)
        offset, best = offsets[scores.argmax()], max(best, float(scores.max()))
    return best


def _frame_snr(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Energies per frame -> dB, limited."""
    return np.clip(10 * np.log10(signal / (noise + EPS) + EPS), LOWEST, HIGHEST)
