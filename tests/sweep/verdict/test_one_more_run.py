"""The prediction interval holds one more run as often as it says, in worlds whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sweep.verdict import crossed_effects

# Standard deviations over seeds, over units, and of the residual: PESQ over speakers, PESQ over utterances, large
# networks whose seeds differ most, SI-SDR whose utterances do, seeds without effect.
WORLDS = [(0.03, 0.1, 0.1), (0.03, 0.5, 0.1), (0.3, 0.5, 0.1), (0.1, 2.0, 0.3), (0.0, 0.5, 0.1)]
REPEATS = 4000


def prediction_half_width(scores: NDArray[np.float64], alpha: float) -> NDArray[np.float64] | None:
    effects = crossed_effects.of_level(scores)
    return None if effects is None else effects.prediction_half_width(alpha)


def world(
    rng: np.random.Generator, n_seeds: int, n_units: int, spread: tuple[float, float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(repeats, seeds, units) scores of the sweep, and (repeats,) means of another seed on other units."""
    seed, unit, residual = spread

    def drawn(seeds: int) -> NDArray[np.float64]:
        return (
            seed * rng.standard_normal((REPEATS, seeds, 1))
            + unit * rng.standard_normal((REPEATS, 1, n_units))
            + residual * rng.standard_normal((REPEATS, seeds, n_units))
        )

    return drawn(n_seeds), drawn(1).mean(axis=(1, 2))


@pytest.mark.parametrize("spread", WORLDS)
@pytest.mark.parametrize(("n_seeds", "n_units"), [(3, 10), (3, 26), (3, 200), (5, 26), (5, 200), (8, 100)])
def test_it_covers_one_more_run_in_93_to_97_percent(
    n_seeds: int, n_units: int, spread: tuple[float, float, float]
) -> None:
    scores, new = world(np.random.default_rng([n_seeds, n_units]), n_seeds, n_units, spread)
    half = prediction_half_width(scores, 0.05)
    assert half is not None
    covered = (np.abs(new - scores.mean(axis=(1, 2))) <= half).mean()
    assert 0.93 <= covered <= 0.97, covered


def test_without_a_unit_effect_it_is_the_textbooks_for_the_means_of_seeds() -> None:
    # Hahn & Meeker: mean +- t(S - 1) s sqrt(1 + 1/S).
    means = np.array([1.0, 1.4, 1.1, 0.9])
    scores = means[:, None] + np.zeros((4, 50))
    expected = stats.t.ppf(0.975, 3) * means.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert prediction_half_width(scores, 0.05) == pytest.approx(expected, rel=1e-12)


def test_with_seeds_that_agree_it_is_that_of_the_difference_of_two_test_sets() -> None:
    units = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    scores = np.zeros((3, 1)) + units
    expected = stats.t.ppf(0.975, 4) * units.std(ddof=1) * np.sqrt(2 / 5)
    assert prediction_half_width(scores, 0.05) == pytest.approx(expected, rel=1e-12)


def test_constant_scores_have_width_zero_and_too_few_have_none() -> None:
    assert prediction_half_width(np.ones((3, 4)), 0.05) == 0
    assert prediction_half_width(np.ones((2, 4)), 0.05) is None
    assert prediction_half_width(np.ones((3, 1)), 0.05) is None
