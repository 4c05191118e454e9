"""Which candidates leave contention, and what the looks cost and save, in worlds with a known truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.simulated_scores import World, as_paired, repeated
from sweep.settings.new_plan import LOOKS
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.contention import look
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.verdict import nominate

ALPHA = 0.05
SHARE = ALPHA / len(LOOKS)
ALL_EQUAL = World()
TWO_ON_TOP = World(means=(0.3, 0.3, 0.0, 0.0, 0.0, 0.0))
ONE_LEADS = World(means=(0.15, 0.0, 0.0, 0.0, 0.0, 0.0))


@dataclass(frozen=True)
class Outcome:
    """Of one world: the winner or None, the seeds of those that left, and the seeds given in all."""

    winner: str | None
    left_after: dict[str, int]
    seeds: int


def part(scores: NDArray[np.float64], labels: list[str], n_seeds: int) -> PairedScores:
    """The first seeds of some candidates, under their own labels."""
    paired = as_paired(scores[[int(label) for label in labels], :n_seeds])
    return replace(paired, labels=tuple(labels))


def least_lead(comparisons: Comparisons, leader: str, label: str) -> float:
    """The low end of the interval of the leader's lead."""
    lead = comparisons.difference(leader, label)
    assert lead is not None
    interval = lead.interval(SHARE)
    assert interval is not None
    return interval[0]


def race(valid: NDArray[np.float64], test: NDArray[np.float64]) -> Outcome:
    """All looks of one world, and the verdict."""
    labels = [str(label) for label in range(len(valid))]
    staying, given = labels, LOOKS[0]
    left: dict[str, int] = {}
    for n_seeds in LOOKS[:-1]:
        found = look(part(valid, staying, n_seeds), SHARE)
        left |= dict.fromkeys(found.left, n_seeds)
        staying = list(found.staying)
        if len(staying) < 2:
            break
        given = next(end for end in LOOKS if end > n_seeds)
    shown = {label: n_seeds for label, n_seeds in left.items() if n_seeds < given}
    leader = nominate(as_paired(valid[:, :given], shown))
    assert leader is not None
    comparisons = Comparisons(as_paired(test[:, :given], shown))
    won = all(least_lead(comparisons, leader, label) > 0 for label in labels if label != leader)
    return Outcome(leader if won else None, left, sum(left.values()) + given * len(staying))


def outcomes(world: World, repeats: int, n_units: int = 200, seed: int = 0) -> Iterator[Outcome]:
    for valid, test in repeated(world, repeats, LOOKS[-1], n_units, seed):
        yield from map(race, valid, test)


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


# -- the promises ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [ALL_EQUAL, TWO_ON_TOP])
def test_the_best_candidate_seldom_leaves_and_false_winners_are_rare(world: World) -> None:
    """Allows 2 standard errors above 5 %: for the first candidate, which no other is above, and for a winner."""
    found = list(outcomes(world, 300))
    limit = ALPHA + 2 * (ALPHA * (1 - ALPHA) / len(found)) ** 0.5
    assert np.mean(["0" in outcome.left_after for outcome in found]) <= limit
    assert np.mean([outcome.winner is not None for outcome in found]) <= limit


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
