"""SDR of BSS Eval v3, through the `fast_bss_eval` library.

Vincent, Gribonval, Févotte, "Performance measurement in blind audio source separation", TASLP 2006:
whatever a filter of 512 taps can make of the reference counts as signal. Not the plain SNR, and not SI-SDR,
which allows one gain.
"""

import numpy as np

from trainables.metrics import Unscorable

FILTER_TAPS = 512
HIGHEST = 100.0  # dB, for a perfect estimate


def sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """SDR in dB of `estimate` against `reference`, both (samples,), computed in float64.

    Raises Unscorable("too_short") under 512 samples: the filter would make anything of the reference.
    """
    if len(reference) < FILTER_TAPS:
        raise Unscorable("too_short")
    from fast_bss_eval.numpy import sdr_loss

    signals = estimate[None].astype(np.float64), reference[None].astype(np.float64)
    # Pairwise, because the library's other form solves for a vector, which numpy 2 takes for a matrix.
    loss = sdr_loss(*signals, filter_length=FILTER_TAPS, clamp_db=HIGHEST, pairwise=True)
    return -float(loss.item())
