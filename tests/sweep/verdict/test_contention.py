"""Which candidates leave contention, and what the looks cost and save, in worlds with a known truth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.simulated_races import ALL_EQUAL, ALPHA, MARGIN, ONE_LEADS, SHARE, WORLDS, outcomes
from benchmarks.simulated_scores import TWO_ON_TOP, World, as_paired
from sweep.settings.new_plan import LOOKS
from sweep.verdict.contention import look
from sweep.verdict.planning.outlook import Outlook

OUTLOOK = Outlook(LOOKS[-1], 40, MARGIN)


# -- a look ----------------------------------------------------------------------------------------------------


def scores(means: list[float], n_seeds: int = 3, spread: float = 0.05) -> NDArray[np.float64]:
    chance = np.random.default_rng(5).standard_normal((len(means), n_seeds, 40))
    return np.array(means)[:, None, None] + spread * chance


def test_a_candidate_clearly_behind_leaves_and_a_close_one_stays() -> None:
    found = look(as_paired(scores([1.0, 0.99, 0.0])), SHARE)
    assert found.staying == ("0", "1")
    assert found.left.keys() == {"2"}
    assert found.left["2"].endswith("on valid")


def test_a_candidate_with_a_failed_seed_leaves_for_it_cannot_win() -> None:
    paired = as_paired(scores([1.0, 0.99, 0.99]))
    paired.finished[0, 1] = False
    found = look(paired, SHARE)
    assert found.staying == ("1", "2")
    assert found.left == {"0": "a seed has failed"}


def test_no_candidate_leaves_where_nothing_can_be_shown() -> None:
    assert look(as_paired(scores([1.0, 0.5, 0.0], n_seeds=1)), SHARE).left == {}


def test_all_leave_where_every_candidate_has_a_failed_seed() -> None:
    paired = as_paired(scores([1.0, 0.5, 0.0]))
    paired.finished[:] = False
    assert look(paired, SHARE).staying == ()


# -- a group that stops as a whole ------------------------------------------------------------------------------


def test_a_group_stops_where_no_candidate_has_a_chance_left() -> None:
    close = scores([0.0] * 6, spread=0.5)
    close -= close.mean(axis=(1, 2), keepdims=True)
    found = look(as_paired(close), SHARE, OUTLOOK)
    assert found.stopped
    assert (found.staying, found.left, found.further) == (tuple("012345"), {}, ())
    assert look(as_paired(close), SHARE).further == found.staying


def test_a_group_stops_where_all_that_are_left_are_equivalent() -> None:
    found = look(as_paired(scores([1.0, 0.999, 0.0], spread=0.01)), SHARE, OUTLOOK)
    assert found.left.keys() == {"2"}
    assert "within 0.03" in found.stopped
    assert found.further == ()


def test_a_group_with_a_likely_winner_goes_on() -> None:
    found = look(as_paired(scores([0.3, 0.2, 0.2], spread=0.3)), SHARE, OUTLOOK)
    assert found.left == {}
    assert not found.stopped
    assert found.further == ("0", "1", "2")


# -- the promises ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [ALL_EQUAL, TWO_ON_TOP])
def test_the_best_candidate_seldom_leaves_and_false_winners_are_rare(world: World) -> None:
    """Allows 2 standard errors above 5 %: for the first candidate, which no other is above, and for a winner."""
    found = list(outcomes(world, 200))
    limit = ALPHA + 2 * (ALPHA * (1 - ALPHA) / len(found)) ** 0.5
    assert np.mean(["0" in outcome.left_after for outcome in found]) <= limit
    assert np.mean([outcome.winner is not None for outcome in found]) <= limit


def test_a_tie_is_seen_coming() -> None:
    assert np.mean([outcome.seeds for outcome in outcomes(ALL_EQUAL, 200)]) <= 24


def test_a_clear_leader_is_found_with_fewer_seeds_than_all_would_take() -> None:
    found = list(outcomes(ONE_LEADS, 100))
    assert np.mean([outcome.winner == "0" for outcome in found]) >= 0.85
    assert np.mean([outcome.seeds for outcome in found]) < 0.5 * LOOKS[-1] * len(ONE_LEADS.means)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("world", [ALL_EQUAL, TWO_ON_TOP])
def test_the_promises_hold_in_many_worlds(world: World) -> None:
    found = list(outcomes(world, 4000, seed=1))
    assert np.mean(["0" in outcome.left_after for outcome in found]) <= ALPHA
    assert np.mean([outcome.winner is not None for outcome in found]) <= ALPHA
    assert 1 - SHARE - 0.02 <= np.mean([outcome.covered for outcome in found]) <= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("world", ["one leads by .15", ".12, .04, 0, 0, 0, -.3", "one leads by .08"])
def test_stopping_at_a_tie_costs_at_most_two_points_of_power(world: str) -> None:
    """Of the same worlds, so that their difference has a small error."""
    wins = [
        np.mean([outcome.winner == "0" for outcome in outcomes(WORLDS[world], 1000, seed=2, stops_ties=stops)])
        for stops in (False, True)
    ]
    assert wins[0] - wins[1] <= 0.02
