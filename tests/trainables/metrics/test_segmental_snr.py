"""Segmental SNR against closed forms."""

import numpy as np
import pytest

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.metrics import Unscorable
from trainables.metrics.segmental_snr import fitted_segmental_snr, segmental_snr


@pytest.mark.parametrize("snr_db", [-9.0, 0.0, 12.0, 34.0])
def test_the_same_snr_in_every_frame_is_the_mean(snr_db: float) -> None:
    clean = speech_like(1.0)
    # An error proportional to the signal has one SNR everywhere.
    estimate = clean.astype(np.float64) * (1 + 10 ** (-snr_db / 20))
    assert segmental_snr(clean, estimate, RATE) == pytest.approx(snr_db, abs=1e-3)


def test_frames_are_clipped_to_minus_10_and_35_db() -> None:
    clean = speech_like(1.0)
    assert segmental_snr(clean, clean, RATE) == 35.0
    assert segmental_snr(clean, 100 * clean, RATE) == -10.0


def test_the_mean_is_over_frames_not_over_energy() -> None:
    wave = np.sin(2 * np.pi * 400 * np.arange(2 * RATE) / RATE)
    estimate = wave.copy()
    estimate[RATE:] *= 2.0  # 0 dB in the second half, perfect (35 dB) in the first
    assert segmental_snr(wave, estimate, RATE) == pytest.approx(17.5, abs=0.2)


def test_fitting_undoes_gain_and_polarity_and_nothing_else() -> None:
    clean = speech_like(1.0)
    assert fitted_segmental_snr(clean, -0.3 * clean, RATE) == pytest.approx(35.0, abs=1e-6)
    estimate = noisy(clean, 10.0)
    fitted = fitted_segmental_snr(clean, estimate, RATE)
    assert fitted_segmental_snr(clean, -3.0 * estimate, RATE) == pytest.approx(fitted, abs=1e-4)
    assert segmental_snr(clean, -3.0 * estimate, RATE) < fitted - 5.0


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 10.0, 20.0, 40.0])
def test_an_untouched_clip_is_fitted_no_worse_and_hardly_better(snr_db: float) -> None:
    for seed in range(3):
        clean = speech_like(1.0, seed=seed)
        estimate = noisy(clean, snr_db)
        raw, fitted = segmental_snr(clean, estimate, RATE), fitted_segmental_snr(clean, estimate, RATE)
        assert raw <= fitted < raw + 1.0
        for gain in (0.01, -0.3, 40.0):
            assert fitted_segmental_snr(clean, gain * estimate.astype(np.float64), RATE) >= fitted - 1e-6


def test_noise_without_speech_is_not_shrunk_to_look_better() -> None:
    clean = speech_like(1.0)
    noise = np.random.default_rng(3).standard_normal(len(clean))
    assert fitted_segmental_snr(clean, noise, RATE) < -8.0
    assert fitted_segmental_snr(clean, np.zeros_like(clean), RATE) == segmental_snr(clean, np.zeros_like(clean), RATE)


def test_needs_two_frames() -> None:
    with pytest.raises(Unscorable, match="too_short"):
        segmental_snr(np.ones(599), np.ones(599), RATE)
    assert np.isfinite(segmental_snr(np.ones(600), np.ones(600), RATE))
