"""LSD: figures of the URGENT challenge (calculate_intrusive_se_metrics.py), closed form, and as a row."""

import numpy as np
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.metrics import Unscorable
from trainables.metrics.catalogue import METRICS
from trainables.metrics.log_spectral_distance import DECIBELS, log_spectral_distance
from trainables.metrics.scorer import Scorer


@pytest.mark.parametrize(
    ("seconds", "snr", "gain", "rate", "urgent"),
    [
        (2.0, 0, 1.0, 16000, 8.367306976906926),
        (2.0, 10, 0.5, 16000, 7.43401010581266),
        (1.3, 20, -2.0, 16000, 5.460457670424634),
        (2.0, 5, 1.0, 8000, 6.412762342922492),
    ],
)
def test_it_is_the_challenge_s_figure_in_decibels(
    seconds: float, snr: float, gain: float, rate: int, urgent: float
) -> None:
    step = RATE // rate
    clean = speech_like(seconds).astype(float)[::step]
    estimate = gain * noisy(speech_like(seconds), snr).astype(float)[::step]
    assert pytest.approx(4.342945, abs=1e-6) == DECIBELS
    assert log_spectral_distance(clean, estimate, rate) == pytest.approx(DECIBELS * urgent, rel=1e-6)


def test_white_noise_as_in_the_challenge_s_script() -> None:
    rng = np.random.default_rng(7)
    clean = rng.standard_normal(9001)
    estimate = clean + rng.standard_normal(9001)
    assert log_spectral_distance(clean, estimate, 16000) == pytest.approx(DECIBELS * 1.6371286854998652, rel=1e-9)


def test_neither_level_nor_sign_counts_and_less_is_better() -> None:
    clean = speech_like(1.0)
    assert log_spectral_distance(clean, clean, RATE) == pytest.approx(0.0, abs=1e-3)
    assert log_spectral_distance(clean, -0.2 * clean, RATE) == pytest.approx(0.0, abs=1e-2)
    assert log_spectral_distance(clean, noisy(clean, 20), RATE) < log_spectral_distance(clean, noisy(clean, 0), RATE)
    assert METRICS["lsd"].lower
    assert METRICS["lsd"].unit == "dB"


def test_a_first_difference_is_off_by_its_own_response() -> None:
    """Of a long white signal the spectra differ by the fitted response of the filter, whatever the frame."""
    clean = np.random.default_rng(0).standard_normal(400_000)
    filtered = np.convolve(clean, [1.0, -0.9], mode="same")
    response = np.square(np.abs(1 - 0.9 * np.exp(-1j * np.linspace(0, np.pi, 257))))
    fitted = response * ((clean @ filtered) / (filtered @ filtered)) ** 2
    expected = np.sqrt(np.square(10 * np.log10(fitted)).mean())
    assert log_spectral_distance(clean, filtered, RATE) == pytest.approx(expected, rel=0.02)


def test_under_one_frame_there_is_no_score() -> None:
    clean = speech_like(1.0)
    with pytest.raises(Unscorable, match="too_short"):
        log_spectral_distance(clean[:511], clean[:511], RATE)
    rows = Scorer(["lsd"]).score(["u", "short"], [clean, clean[:511]], [noisy(clean, 5), clean[:511]])
    assert [row["status"] for row in rows] == ["ok", "too_short"]
