"""How far the estimate's level lies from the reference's, 0 dB at best; and a metric that the toy measures itself."""

import numpy as np

from trainables.metrics import Unscorable
from trainables.metrics.catalogue import MetricInfo

INFO = MetricInfo(
    function="speech_toy.metric:level_match", title="level match (dB)", unit="dB", margin=0.5, listening=4
)

MEASURED = MetricInfo(title="filter distance", margin=0.001, lower=True, measured=True)


def level_match(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Minus the distance in dB of two RMS levels, of waveforms (samples,)."""
    levels = [float(np.sqrt(np.mean(np.square(signal)))) for signal in (reference, estimate)]
    if min(levels) == 0.0:
        raise Unscorable("no_utterance")
    return -abs(20 * float(np.log10(levels[1] / levels[0])))
