import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.normalized_ssl.gates.mismatch import Floats, SiteShift, measure, site_shift, squared_shift


def features(rng: np.random.Generator, utterances: int = 12, channels: int = 6) -> list[Floats]:
    return [rng.normal(2.0, 3.0, (channels, rng.integers(40, 80))) for _ in range(utterances)]


def interval(shifts: Floats) -> list[float]:
    found = measure([SiteShift(shifts, 0.0)])["interval"]
    assert isinstance(found, list)
    return found


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), utterances=st.integers(2, 7), channels=st.integers(1, 5))
def test_equals_the_mean_over_all_pairs_of_different_utterances(seed: int, utterances: int, channels: int) -> None:
    shifts = np.random.default_rng(seed).standard_normal((utterances, channels))
    pairs = [shifts[u] @ shifts[v] for u in range(utterances) for v in range(utterances) if u != v]
    assert squared_shift(shifts) == pytest.approx(np.mean(pairs) / channels, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_is_unbiased_for_the_squared_mean_shift(shift: float) -> None:
    rng = np.random.default_rng(0)
    values = [squared_shift(shift + rng.standard_normal((15, 8))) for _ in range(2000)]
    assert np.mean(values) == pytest.approx(shift**2, abs=4 * np.std(values) / np.sqrt(len(values)))


def test_recovers_a_planted_shift_and_ratio() -> None:
    rng = np.random.default_rng(1)
    clean = features(rng)
    noisy = [0.5 * item + 1.0 for item in clean]  # about the mean 2: shift 0, deviation halved
    shifted = [item + 1.5 for item in clean]  # half a deviation
    assert measure([site_shift(shifted, clean)])["distance"] == pytest.approx(0.5, rel=0.02)
    assert measure([site_shift(noisy, clean)])["log_ratio"] == pytest.approx(np.log(2), rel=1e-3)


def test_without_noise_there_is_exactly_no_mismatch() -> None:
    clean = features(np.random.default_rng(2))
    found = measure([site_shift(clean, clean)])
    assert found["value"] == 0
    assert found["interval"] == [0, 0]
    assert found["log_ratio"] == 0


def test_the_jackknife_interval_covers_a_true_shift() -> None:
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(300):
        low, high = interval(0.3 + rng.standard_normal((16, 10)))
        covered.append(low <= 0.09 <= high)
    assert np.mean(covered) > 0.91


def test_an_interval_of_no_shift_seldom_excludes_zero() -> None:
    rng = np.random.default_rng(4)
    false = [interval(rng.standard_normal((16, 10)))[0] > 0 for _ in range(300)]
    assert np.mean(false) < 0.05


def test_bodies_are_averaged_and_two_utterances_give_no_interval() -> None:
    shifts = [np.ones((2, 3)), 2 * np.ones((2, 3))]
    found = measure([SiteShift(body, 0.1) for body in shifts])
    assert found["value"] == pytest.approx((1 + 4) / 2)
    assert found["seeds"] == [pytest.approx(1), pytest.approx(4)]
    assert found["interval"] is None
