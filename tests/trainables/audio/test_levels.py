"""Levels without the constant offset, which is inaudible; signals without one keep their bits."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainables.audio.levels import active_power, decibels, offset_matters, power, without_offset

TONE: np.ndarray = (0.1 * np.sin(2 * np.pi * np.arange(16_000) / 40)).astype(np.float32)  # whole periods


@pytest.mark.parametrize("offset", [0.0, 0.01, -0.3, 5.0])
@pytest.mark.parametrize("level", [power, active_power])
def test_an_offset_does_not_count(offset: float, level: type) -> None:
    assert decibels(level(TONE + np.float32(offset))) == pytest.approx(10 * np.log10(0.1**2 / 2), abs=0.005)


@pytest.mark.parametrize("offset", [0.0, 1e-3, -2e-3])
def test_a_negligible_offset_leaves_the_bits(offset: float) -> None:
    """Up to 30 dB below the signal."""
    signal: NDArray[np.float32] = TONE + np.float32(offset)
    assert without_offset(signal) is signal


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_offset_that_matters_is_removed(dtype: type) -> None:
    signal: np.ndarray = (TONE + 0.02).astype(dtype)
    assert offset_matters(signal)
    removed = without_offset(signal)
    assert removed.dtype == dtype
    np.testing.assert_allclose(removed, TONE, atol=1e-7)


def test_voices_are_treated_one_by_one() -> None:
    voices = without_offset(np.stack([TONE, TONE + np.float32(0.5)]))
    assert np.array_equal(voices[0], TONE)
    np.testing.assert_allclose(voices[1], TONE, atol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.25, -1.0])
def test_a_constant_has_no_power(constant: float) -> None:
    signal = np.full(1000, constant, np.float32)
    assert power(signal) == active_power(signal) == 0.0
    assert decibels(power(signal)) == -200.0


def test_no_samples_have_no_power() -> None:
    assert power(np.zeros(0, np.float32)) == 0.0
