"""DNSMOS P.835 (Reddy et al., ICASSP 2022): what listeners would rate, without a reference.

Signal (SIG), background (BAK) and overall quality (OVRL) are three outputs of one inference.

The model is the one that Microsoft packages in `speechmos`, run by onnxruntime; both come with the extra
`pip install ".[dnsmos]"`. Windows, averaging and the polynomials onto the listeners' scale are those of its published
script; speechmos' own module would load librosa for another score that is not needed.
"""

from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from trainables.metrics import Unscorable

SAMPLE_RATE = 16000  # Hz, the only rate the model knows
_MODEL = "dnsmos_models/sig_bak_ovr.onnx"
_SECONDS = 9.01  # of a window; they start every second
_SHORTEST = 0.25  # s, as for PESQ: a shorter clip, repeated to fill a window, is a tone
# Polynomials onto the listeners' scale, highest power first.
_TO_LISTENERS = {
    "signal": (-0.08397278, 1.22083953, 0.0052439),
    "background": (-0.13166888, 1.60915514, -0.39604546),
    "overall": (-0.06766283, 1.11546468, 0.04602535),
}


class Ratings(NamedTuple):
    """Predicted ratings, 1 (bad) to 5 (excellent)."""

    signal: float
    background: float
    overall: float


def ratings(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> Ratings:
    """The three ratings of `estimate`, (samples,) at 16 kHz; the reference is ignored.

    The scale is 1 to 5, of which the polynomial of the overall rating leaves 1.09 to 3.93 for raw scores of 1 to 5.
    Samples outside [-1, 1] are clipped, as in any audio file. Raises Unscorable("too_short") under 1/4 s.
    """
    if len(estimate) < _SHORTEST * SAMPLE_RATE:
        raise Unscorable("too_short")
    audio = np.clip(estimate, -1.0, 1.0).astype(np.float32)
    raw = np.array([_raw(window) for window in _windows(audio)])
    listeners = zip(_TO_LISTENERS.values(), raw.T, strict=True)
    return Ratings(*(float(np.mean(np.polyval(polynomial, scores))) for polynomial, scores in listeners))


def signal(of: Ratings) -> float:
    """DNSMOS SIG: how undistorted the voice is."""
    return of.signal


def background(of: Ratings) -> float:
    """DNSMOS BAK: how little the background disturbs."""
    return of.background


def overall(of: Ratings) -> float:
    """DNSMOS OVRL."""
    return of.overall


def _windows(audio: np.ndarray) -> list[np.ndarray]:
    """Windows that start every second; a clip too short for one is doubled until it has one.

    The published script computes where they end in floating point and skips those that come out a sample short. All
    published figures have this quirk, so it is kept.
    """
    length = int(_SECONDS * SAMPLE_RATE)
    while len(audio) < length:
        audio = np.concatenate([audio, audio])
    count = int(len(audio) // SAMPLE_RATE - _SECONDS) + 1
    windows = [audio[i * SAMPLE_RATE : int((i + _SECONDS) * SAMPLE_RATE)] for i in range(count)]
    return [window for window in windows if len(window) >= length]


def _raw(window: np.ndarray) -> np.ndarray:
    """The model's signal, background and overall scores of one window, (3,)."""
    return _session().run(None, {"input_1": window[np.newaxis]})[0][0].astype(np.float64)


@cache
def _session() -> Any:
    """One per process, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = resources.files("speechmos").joinpath(_MODEL).read_bytes()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
