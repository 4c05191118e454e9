"""The vectorised composite measures against the slow scalar definition and against fixed numbers."""

import numpy as np
import pytest

from tests.support.audio import slow_composite as slow
from tests.support.audio.signals import RATE, needs_corpus, noisy, real_pair, speech_like
from trainables.metrics.composite import cbak, covl, csig
from trainables.metrics.log_likelihood_ratio import log_likelihood_ratio
from trainables.metrics.pesq import wb_pesq
from trainables.metrics.scorer import Scorer
from trainables.metrics.weighted_spectral_slope import weighted_spectral_slope

# The third published digit needs 1e-3. Rounding in linear prediction of band-limited frames costs 1e-5.
TOLERANCE = 1e-4


def synthetic_pair(kind: str) -> tuple[np.ndarray, np.ndarray]:
    clean = speech_like(0.8)
    match kind:
        case "speech in noise":
            return clean, noisy(clean, 5.0)
        case "muffled speech":
            return clean, np.convolve(clean, np.array([0.2, 0.6, 0.2]), mode="same").astype(np.float32)
        case "flipped and too loud":
            return clean, -2.5 * noisy(clean, 15.0)
        case "noise for speech":
            return clean, noisy(np.zeros_like(clean) + 1e-3 * clean, -40.0)
        case _:
            raise AssertionError(kind)


def assert_agrees_with_slow_definition(clean: np.ndarray, estimate: np.ndarray) -> None:
    rows = Scorer(("csig", "cbak", "covl", "segsnr")).score(["clip"], [clean], [estimate])
    ours = {row["metric"]: row["value"] for row in rows}
    ingredients = slow.llr(clean, estimate), slow.wss(clean, estimate), slow.segsnr(clean, estimate)
    expected = slow.ratings(wb_pesq(clean, estimate), *ingredients)
    assert (ours["csig"], ours["cbak"], ours["covl"]) == pytest.approx(expected, abs=TOLERANCE)
    assert ours["segsnr"] == pytest.approx(ingredients[2], abs=1e-6)
    assert log_likelihood_ratio(clean, estimate, RATE) == pytest.approx(ingredients[0], abs=TOLERANCE)
    assert weighted_spectral_slope(clean, estimate, RATE) == pytest.approx(ingredients[1], abs=1e-6)


@pytest.mark.parametrize("kind", ["speech in noise", "muffled speech", "flipped and too loud", "noise for speech"])
def test_agrees_with_the_slow_definition_on_synthetic_signals(kind: str) -> None:
    assert_agrees_with_slow_definition(*synthetic_pair(kind))


@needs_corpus
@pytest.mark.parametrize(("index", "snr_db"), [(1, 2.5), (2, 12.5)])
def test_agrees_with_the_slow_definition_on_real_speech(index: int, snr_db: float) -> None:
    assert_agrees_with_slow_definition(*real_pair(index, snr_db))


def test_fixed_ingredients_give_the_published_linear_forms() -> None:
    assert csig(2.0, 0.5, 30.0) == pytest.approx(3.093 - 0.5145 + 1.206 - 0.27)
    assert cbak(2.0, 30.0, 5.0) == pytest.approx(1.634 + 0.956 - 0.21 + 0.315)
    assert covl(2.0, 0.5, 30.0) == pytest.approx(1.594 + 1.61 - 0.256 - 0.21)


def test_ratings_stay_between_1_and_5() -> None:
    assert (csig(4.6, 0.0, 0.0), cbak(4.6, 0.0, 35.0), covl(4.6, 0.0, 0.0)) == (5.0, 5.0, 5.0)
    assert (csig(1.0, 9.0, 90.0), cbak(1.0, 150.0, -10.0), covl(1.0, 9.0, 90.0)) == (1.0, 1.0, 1.0)


def test_llr_and_wss_of_the_reference_itself_are_zero() -> None:
    clean = speech_like(1.0)
    assert log_likelihood_ratio(clean, clean, RATE) == pytest.approx(0.0, abs=1e-9)
    assert weighted_spectral_slope(clean, clean, RATE) == 0.0


def test_llr_and_wss_do_not_hear_gain_or_polarity() -> None:
    clean = speech_like(1.0)
    estimate = noisy(clean, 10.0)
    for measure in (log_likelihood_ratio, weighted_spectral_slope):
        assert measure(clean, -0.25 * estimate, RATE) == pytest.approx(measure(clean, estimate, RATE), abs=1e-6)


def test_llr_of_a_partly_digitally_silent_reference_is_finite() -> None:
    clean = speech_like(1.0)
    clean[4000:8000] = 0.0
    assert np.isfinite(log_likelihood_ratio(clean, noisy(clean, 5.0), RATE))
    assert np.isfinite(log_likelihood_ratio(noisy(clean, 5.0), clean, RATE))
