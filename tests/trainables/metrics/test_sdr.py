"""SDR of BSS Eval v3, checked against mir_eval."""

import warnings

import numpy as np
import pytest

from trainables.metrics.scorer import Scorer
from trainables.metrics.sdr import FILTER_TAPS, sdr
from trainables.metrics.si_sdr import si_sdr


def voice(seed: int, samples: int = 12_000) -> np.ndarray:
    """Coloured noise: neither white nor band-limited."""
    white = np.random.default_rng(seed).standard_normal(samples + 8)
    return 0.1 * np.convolve(white, [1.0, 0.7, 0.4, 0.2, 0.1, 0, 0, 0, 0], mode="valid")


@pytest.mark.parametrize("level", [0.03, 0.3, 1.0, 3.0])
def test_agrees_with_mir_eval(level: float) -> None:
    separation = pytest.importorskip("mir_eval.separation")
    references = np.stack([voice(1), voice(2)])
    estimates = references + level * np.stack([voice(3), 0.5 * voice(2)[::-1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval announces its removal
        expected = separation.bss_eval_sources(references, estimates, compute_permutation=False)[0]
    ours = [sdr(*pair) for pair in zip(references, estimates, strict=True)]
    np.testing.assert_allclose(ours, expected, atol=0.01)


def test_a_short_filter_counts_as_signal_but_not_for_si_sdr() -> None:
    reference = voice(4)
    delayed = np.concatenate([np.zeros(40), reference[:-40]])
    assert sdr(reference, delayed) > 20
    assert si_sdr(reference, delayed) < 5


def test_a_delay_beyond_the_filter_counts_as_distortion() -> None:
    reference = voice(5)
    late = FILTER_TAPS + 100
    assert sdr(reference, np.concatenate([np.zeros(late), reference[:-late]])) < 0


def test_of_one_voice_it_is_scored_as_any_other_metric() -> None:
    reference = voice(6)
    estimate = reference + 0.2 * voice(7)
    (row,) = Scorer(["sdr"]).score(["u"], [reference], [estimate])
    assert (row["value"], row["status"]) == (sdr(reference, estimate), "ok")
