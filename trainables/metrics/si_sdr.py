"""Scale-invariant signal-to-distortion ratio.

Le Roux, Wisdom, Erdogan, Hershey: "SDR - half-baked or well done?", ICASSP 2019, eq. (3).
"""

import math

import numpy as np

from trainables.metrics import Unscorable

LOWEST, HIGHEST = -80.0, 100.0  # dB: an estimate orthogonal to the reference, a perfect one
_SHORTEST = 3  # samples: of two, made zero-mean, one is always a multiple of the other


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """SI-SDR in dB of `estimate` against `reference`, both (samples,), computed in float64.

    Both are made zero-mean first: a constant offset is inaudible yet would cost many dB. The ratio is limited to
    -80 .. 100 dB and holds no other constant, so it does not depend on the level of either signal.
    Raises Unscorable("too_short") under 3 samples.
    """
    if len(reference) < _SHORTEST:
        raise Unscorable("too_short")
    reference = reference.astype(np.float64) - reference.mean(dtype=np.float64)
    estimate = estimate.astype(np.float64) - estimate.mean(dtype=np.float64)
    energy = reference @ reference
    target = reference * (estimate @ reference / energy) if energy else np.zeros_like(reference)
    distortion = estimate - target
    signal, noise = float(target @ target), float(distortion @ distortion)
    if signal == 0.0 or noise == 0.0:
        return HIGHEST if signal > noise else LOWEST
    return min(max(10 * math.log10(signal / noise), LOWEST), HIGHEST)
