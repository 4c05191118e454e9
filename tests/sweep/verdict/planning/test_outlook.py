"""The chance of a winner, against the same worlds drawn one by one."""

import numpy as np
import pytest

from sweep.verdict.crossed_effects import CrossedEffects
from sweep.verdict.planning.outlook import Outlook, chance_of_winner

SHARE = 0.05 / 3
S, U, E = 0.03**2, 0.1**2, 0.1**2  # variances of seed, unit and residual


def effects(n_seeds: int, n_units: int, candidates: int = 4) -> CrossedEffects:
    squares = (np.array(E + n_units * S), np.array(E + n_seeds * U), np.array(E))
    return CrossedEffects(*squares, n_seeds, n_units, replicas=candidates - 1, terms=2)


@pytest.mark.parametrize("means", [(0.0, 0.0, 0.0, 0.0), (0.06, 0.02, 0.0, -0.01), (0.1, 0.0, 0.0, 0.0)])
def test_the_chance_is_that_of_futures_drawn_from_what_valid_leaves_open(means: tuple[float, ...]) -> None:
    """True means from the flat prior's posterior, the first seeds kept, the later ones and test's units new."""
    rng, repeats, now, last, on_valid, on_test = np.random.default_rng(3), 200_000, 3, 8, 150, 60
    shape = (repeats, len(means))
    first = rng.normal(0, (S / now) ** 0.5, shape)  # the seeds' part of valid, which test shares
    noise = rng.normal(0, (U / on_valid + E / (on_valid * now)) ** 0.5, shape)
    true = np.array(means) - first - noise
    later = rng.normal(0, (S / (last - now)) ** 0.5, shape)
    unit = rng.normal(0, (U / on_test + E / (on_test * last)) ** 0.5, shape)
    scores = true + (now * first + (last - now) * later) / last + unit
    ranked = np.sort(scores, axis=1)
    needed = float(effects(last, on_test).half_width(SHARE))
    expected = np.mean(ranked[:, -1] - ranked[:, -2] > needed)
    found = chance_of_winner(np.array(means), effects(now, on_valid), Outlook(last, on_test, 0.03), SHARE)
    assert found == pytest.approx(expected, abs=0.004)


def test_a_clear_lead_is_certain_and_none_is_hopeless() -> None:
    outlook = Outlook(8, 200, 0.03)
    assert chance_of_winner(np.array([1.0, 0.0]), effects(3, 200, 2), outlook, SHARE) == pytest.approx(1.0)
    assert chance_of_winner(np.zeros(20), effects(3, 200, 20), outlook, SHARE) < 0.01


def test_without_any_spread_the_larger_mean_wins() -> None:
    zero = np.array(0.0)
    none = CrossedEffects(zero, zero, zero, 3, 10, replicas=1, terms=2)
    assert chance_of_winner(np.array([0.1, 0.0]), none, Outlook(8, 10, 0.03), SHARE) == 1.0
    assert chance_of_winner(np.array([0.0, 0.0]), none, Outlook(8, 10, 0.03), SHARE) == 0.0
