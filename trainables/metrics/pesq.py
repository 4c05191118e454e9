"""PESQ through the `pesq` library's build of the ITU code: wide band (P.862.2) and raw narrow band (P.862)."""

import math

import numpy as np

from trainables.metrics import Unscorable

SAMPLE_RATE = 16000  # Hz; the only rate at which wide-band PESQ is defined, and ours for both


def wb_pesq(reference: np.ndarray, estimate: np.ndarray) -> float:
    """WB-PESQ (MOS-LQO, 1.04 to 4.644) of `estimate` against `reference`, both (samples,) at 16 kHz.

    Raises Unscorable: "too_short" under 1/4 s, "no_utterance" where PESQ finds no speech.
    """
    return _pesq(reference, estimate, "wb")


def nb_pesq(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Raw narrow-band PESQ (-0.5 to 4.5) of `estimate` against `reference`, both (samples,) at 16 kHz.

    The score of P.862 before its mapping to MOS-LQO (P.862.1), as older papers report it. The library only gives
    the mapped one, y = 0.999 + 4 / (1 + exp(4.6607 - 1.4945 x)), which is solved for x.
    Raises Unscorable as `wb_pesq`.
    """
    return raw_from_lqo(_pesq(reference, estimate, "nb"))


def raw_from_lqo(lqo: float) -> float:
    """The raw P.862 score behind a narrow-band MOS-LQO."""
    return (4.6607 - math.log(4.0 / (lqo - 0.999) - 1.0)) / 1.4945


def _pesq(reference: np.ndarray, estimate: np.ndarray, band: str) -> float:
    if reference.size == 0:
        raise Unscorable("too_short")
    import pesq

    try:
        return float(pesq.pesq(SAMPLE_RATE, reference, estimate, band))
    except pesq.BufferTooShortError as error:
        raise Unscorable("too_short") from error
    except pesq.NoUtterancesError as error:
        raise Unscorable("no_utterance") from error
