"""STOI and ESTOI: short-time objective intelligibility, through the `pystoi` library.

STOI: Taal, Hendriks, Heusdens, Jensen: "An algorithm for intelligibility prediction of time-frequency weighted
noisy speech", IEEE TASLP 2011. ESTOI: Jensen, Taal: "An algorithm for predicting the intelligibility of speech masked
by modulated noise maskers", IEEE TASLP 2016.
"""

import warnings

import numpy as np

from trainables.metrics import Unscorable

FRAME_SECONDS = 0.0256  # 256 samples at pystoi's 10 kHz


def stoi(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """STOI as a fraction of `estimate` against `reference`, both (samples,) at `sample_rate` Hz.

    Raises Unscorable("too_short") under 30 sounding frames (about 0.4 s), where pystoi only warns and
    returns 1e-5, which would look like a score, or, without a single frame, fails.
    """
    return _stoi(reference, estimate, sample_rate, extended=False)


def estoi(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """As `stoi`, of the extended measure: frames are correlated across bands, so fluctuating noise is heard through.

    pystoi adds noise at machine precision, drawn from numpy's global generator, which is set here and put back: the
    same audio has the same bits. Raises Unscorable as `stoi`.
    """
    state = np.random.get_state()
    np.random.seed(0)
    try:
        return _stoi(reference, estimate, sample_rate, extended=True)
    finally:
        np.random.set_state(state)


def _stoi(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, extended: bool) -> float:
    if len(reference) <= FRAME_SECONDS * sample_rate:
        raise Unscorable("too_short")
    import pystoi

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames", category=RuntimeWarning)
        try:
            return float(pystoi.stoi(reference, estimate, sample_rate, extended=extended))
        except RuntimeWarning as error:
            raise Unscorable("too_short") from error
