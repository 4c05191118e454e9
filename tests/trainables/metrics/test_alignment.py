"""Gain, polarity and lag are recovered from a known transform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.audio.signals import RATE, noisy, speech_like
from trainables.metrics.alignment import align


@given(gain=st.floats(0.05, 20), flip=st.booleans(), lag=st.integers(-320, 320))
@settings(max_examples=20, deadline=None)
def test_gain_polarity_and_lag_of_a_known_transform(gain: float, flip: bool, lag: int) -> None:
    sign = -1 if flip else 1
    clean = np.pad(speech_like(0.5), 400)
    found = align(clean, sign * gain * np.roll(clean, lag), RATE)
    assert (found.polarity, found.lag) == (sign, lag)
    assert align(clean, sign * gain * clean, RATE).gain == pytest.approx(sign * gain, rel=1e-6)


def test_matches_a_direct_cross_correlation() -> None:
    clean, estimate = speech_like(0.3), np.roll(noisy(speech_like(0.3), 0.0), 37)
    padded = np.pad(estimate.astype(np.float64), 320)
    direct = [clean @ padded[320 + lag : 320 + lag + len(clean)] for lag in range(-320, 321)]
    peak = int(np.argmax(np.abs(direct)))
    found = align(clean, estimate, RATE)
    assert (found.lag, found.polarity) == (peak - 320, np.sign(direct[peak]))


def test_noise_leaves_the_gain_near_one() -> None:
    clean = speech_like(2.0)
    found = align(clean, noisy(clean, 10.0), RATE)
    assert (found.polarity, found.lag) == (1, 0)
    assert found.gain == pytest.approx(1.0, abs=0.05)


def test_shorter_than_the_largest_lag_still_works() -> None:
    clean = speech_like(0.01)
    assert align(clean, 2 * clean, RATE).lag == 0
