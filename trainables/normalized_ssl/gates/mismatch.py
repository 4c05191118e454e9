"""Distance of a site's noisy features from its clean ones: a bias-corrected squared mean shift.

With d[u, c] the shift of channel c's mean in utterance u, in clean standard deviations, the mean of d.d' over
pairs of *different* utterances is unbiased for |E d|^2: noise of single utterances cancels, so a site without
a systematic shift comes out near zero, on either side. The plain mean of d.d would be positive everywhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

_DEVIATION_EPS = 1e-5  # channels after a GELU can be almost constant

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SiteShift:
    """A site's shifts of means, (utterances, channels), in clean deviations, and ratios of deviations."""

    shifts: Floats
    log_ratio: float  # mean over channels of |log (clean deviation / noisy deviation)|


def site_shift(noisy: list[Floats], clean: list[Floats]) -> SiteShift:
    """Compare the features of paired utterances, each (channels, frames)."""
    clean_std = np.concatenate(clean, axis=1).std(axis=1) + _DEVIATION_EPS
    noisy_std = np.concatenate(noisy, axis=1).std(axis=1) + _DEVIATION_EPS
    shifts = [(n.mean(axis=1) - c.mean(axis=1)) / clean_std for n, c in zip(noisy, clean, strict=True)]
    return SiteShift(np.stack(shifts), float(np.abs(np.log(clean_std / noisy_std)).mean()))


def squared_shift(shifts: Floats) -> float:
    """Unbiased estimate of |E d|^2 / channels from d (utterances, channels); may be below zero."""
    utterances, channels = shifts.shape
    pairs = np.square(shifts.sum(axis=0)).sum() - np.square(shifts).sum()
    return float(pairs / (utterances * (utterances - 1) * channels))


def measure(bodies: list[SiteShift], alpha: float = 0.05) -> dict[str, object]:
    """One site's mismatch over bodies measured on the same utterances: one per seed, or the one of published weights.

    Returns:
        "value": the squared shift, averaged over bodies; "interval": its 1 - `alpha` jackknife interval over
        utterances alone (None below 3); "distance": its root, in clean deviations, 0 where it is negative;
        "log_ratio": mean |log r|; "seeds": the value of each body.
    """
    values = [squared_shift(body.shifts) for body in bodies]
    value = float(np.mean(values))
    return {
        "value": value,
        "interval": _jackknife_interval([body.shifts for body in bodies], value, alpha),
        "distance": float(np.sqrt(max(value, 0.0))),
        "log_ratio": float(np.mean([body.log_ratio for body in bodies])),
        "seeds": values,
    }


def _jackknife_interval(shifts: list[Floats], value: float, alpha: float) -> list[float] | None:
    """Leave one utterance out of all bodies at once: Student's t with utterances - 1 degrees of freedom."""
    utterances = len(shifts[0])
    if utterances < 3:
        return None
    left_out = np.array(
        [np.mean([squared_shift(np.delete(body, u, axis=0)) for body in shifts]) for u in range(utterances)]
    )
    error = np.sqrt((utterances - 1) * left_out.var())
    half = float(special.stdtrit(utterances - 1, 1 - alpha / 2) * error)
    return [value - half, value + half]
