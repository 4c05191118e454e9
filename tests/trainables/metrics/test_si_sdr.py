"""SI-SDR against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.audio.signals import noisy, speech_like
from trainables.metrics import Unscorable
from trainables.metrics.si_sdr import HIGHEST, LOWEST, si_sdr


def orthogonal_noise(clean: np.ndarray, seed: int = 0) -> np.ndarray:
    """Zero-mean noise with no component along `clean`, of the same energy; float64."""
    noise = np.random.default_rng(seed).standard_normal(len(clean))
    basis = np.linalg.qr(np.stack([np.ones(len(clean)), clean], axis=1))[0]
    noise -= basis @ (basis.T @ noise)
    centred = clean - clean.mean()
    return noise * np.linalg.norm(centred) / np.linalg.norm(noise)


@given(snr_db=st.floats(-30, 50), seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_orthogonal_noise_gives_its_snr(snr_db: float, seed: int) -> None:
    clean = speech_like(0.5).astype(np.float64)
    estimate = clean + orthogonal_noise(clean, seed) * 10 ** (-snr_db / 20)
    assert si_sdr(clean, estimate) == pytest.approx(snr_db, abs=1e-3)


@given(gain=st.floats(0.1, 10), flip=st.booleans(), offset=st.floats(-0.5, 0.5))
@settings(max_examples=15, deadline=None)
def test_blind_to_gain_polarity_and_offset(gain: float, flip: bool, offset: float) -> None:
    clean = speech_like(0.5)
    estimate = noisy(clean, 7.0).astype(np.float64)
    changed = (-gain if flip else gain) * estimate + offset
    assert si_sdr(clean, changed) == pytest.approx(si_sdr(clean, estimate), abs=1e-3)


def test_exact_in_float64_where_float32_would_stall_near_60_db() -> None:
    clean = speech_like(2.0).astype(np.float64)
    estimate = clean + orthogonal_noise(clean) * 10 ** (-80 / 20)
    assert si_sdr(clean, estimate) == pytest.approx(80.0, abs=0.05)


def test_an_orthogonal_estimate_gets_a_finite_floor() -> None:
    clean = speech_like(0.5).astype(np.float64)
    assert si_sdr(clean, orthogonal_noise(clean)) == pytest.approx(-80.0, abs=1e-3)


@pytest.mark.parametrize("snr_db", [-20.0, 10.0, 60.0])
@pytest.mark.parametrize("scale", [1e-2, 1e-4, 1e-6, 1e-8, 1e3])
def test_the_level_of_either_signal_changes_nothing(scale: float, snr_db: float) -> None:
    clean = speech_like(0.5).astype(np.float64)
    estimate = clean + orthogonal_noise(clean) * 10 ** (-snr_db / 20)
    assert si_sdr(scale * clean, estimate) == pytest.approx(snr_db, abs=1e-6)
    assert si_sdr(clean, scale * estimate) == pytest.approx(snr_db, abs=1e-6)


def test_silence_and_perfection_are_the_limits() -> None:
    clean = speech_like(0.5)
    assert si_sdr(clean, clean) == HIGHEST
    assert si_sdr(clean, np.zeros_like(clean)) == si_sdr(np.zeros_like(clean), clean) == LOWEST


@pytest.mark.parametrize("samples", [0, 1, 2])
def test_fewer_than_three_samples_say_nothing(samples: int) -> None:
    with pytest.raises(Unscorable, match="too_short"):
        si_sdr(np.arange(samples, dtype=np.float32), -np.arange(samples, dtype=np.float32))
