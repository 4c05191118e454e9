"""Candidates set apart: their variance is not pooled with the others', and all intervals keep their promise."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.simulated_apart import TWO_ON_TOP, promises
from benchmarks.simulated_scores import as_paired
from sweep.verdict import crossed_effects
from sweep.verdict.comparisons import Comparisons, Difference, alike_of
from sweep.verdict.designs import OpenComparisons
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.planning.spreads import Spreads

_RNG = np.random.default_rng(3)
_ALIKE = _RNG.standard_normal((3, 4, 1)) + _RNG.standard_normal((3, 1, 12)) + _RNG.standard_normal((3, 4, 12))
_ODD = 20 * _RNG.standard_normal((1, 4, 1)) + 20 * _RNG.standard_normal((1, 1, 12))
_SCORES = np.concatenate([_ALIKE, _ODD])  # candidates "0", "1", "2" and the odd one, "3"


def scores(*apart: str) -> PairedScores:
    return replace(as_paired(_SCORES), apart=frozenset(apart))


def between(comparisons: Comparisons, first: str, second: str) -> Difference:
    found = comparisons.difference(first, second)
    assert found is not None
    return found


def test_the_others_are_compared_as_if_it_were_not_there() -> None:
    without = Comparisons(as_paired(_ALIKE))
    for label in ("1", "2"):
        found = between(Comparisons(scores("3")), "0", label)
        assert found.interval(0.05) == between(without, "0", label).interval(0.05)
        assert found.interval(0.05) != between(Comparisons(scores()), "0", label).interval(0.05)


def test_its_own_pairs_take_the_wider_of_both_intervals() -> None:
    own = crossed_effects.of_level(_SCORES[3] - _SCORES[0])
    assert own is not None
    low, high = between(Comparisons(scores("3")), "3", "0").interval(0.05) or (0.0, 0.0)
    assert (high - low) / 2 == pytest.approx(own.half_width(0.05))
    pooled = crossed_effects.of_differences(_ALIKE)
    assert pooled is not None
    assert own.half_width(0.05) > pooled.half_width(0.05)
    quiet = replace(as_paired(np.concatenate([_ALIKE, 0 * _ODD])), apart=frozenset("3"))
    low, high = between(Comparisons(quiet), "3", "0").interval(0.05) or (0.0, 0.0)
    assert (high - low) / 2 >= pooled.half_width(0.05) * (1 - 1e-12)


def test_a_typical_difference_from_it_is_that_of_its_closest_rival() -> None:
    comparisons = Comparisons(scores("3"))
    assert comparisons.typical("0") is comparisons.pooled
    typical = comparisons.typical("3")
    leads = {label: between(comparisons, "3", label) for label in "012"}
    closest = min(leads, key=lambda label: abs(leads[label].value))
    assert typical is not None
    assert typical.variance == max(float(basis.variance) for basis in leads[closest].bases)


@pytest.mark.parametrize(("labels", "apart", "pooled"), [("abc", "c", "ab"), ("ab", "b", "ab"), ("abc", "abc", "abc")])
def test_all_are_pooled_where_fewer_than_two_would_be_left(labels: str, apart: str, pooled: str) -> None:
    assert alike_of([*labels], {*apart}) == [*pooled]


def test_a_candidate_without_all_seeds_is_compared_in_the_same_way() -> None:
    left = replace(as_paired(_SCORES, {"2": 3}), apart=frozenset("3"))
    without = as_paired(_SCORES[:3], {"2": 3})
    mine = between(Comparisons(left), "0", "2").interval(0.05)
    assert mine == between(Comparisons(without), "0", "2").interval(0.05)


def test_spreads_that_plan_further_sweeps_leave_it_out() -> None:
    assert Spreads.of(scores("3")) == Spreads.of(as_paired(_ALIKE))
    assert Spreads.of(scores()) != Spreads.of(as_paired(_ALIKE))


def test_chances_of_being_the_best_know_its_own_spread() -> None:
    """Two equal means: next to a precise rival, the one that scatters more is as likely to be the best, not less."""
    level = _SCORES - _SCORES.mean(axis=(1, 2), keepdims=True)
    level[:2] -= 3.0
    found = Comparisons(replace(as_paired(level), apart=frozenset("3"))).p_best
    assert found["2"] == pytest.approx(found["3"], abs=0.1)
    level[3] -= 1.0
    wide = Comparisons(replace(as_paired(level), apart=frozenset("3"))).p_best["3"]
    narrow = Comparisons(replace(as_paired(np.concatenate([level[:3], level[3:] * 0 - 1])), apart=frozenset("3")))
    assert wide > narrow.p_best["3"]


@pytest.mark.parametrize("shape", [{"seeds_paired": True}, {"seeds_paired": False}])
def test_runs_without_utterances_are_pooled_without_it_too(shape: dict[str, bool]) -> None:
    def half_width(labels: list[int], *apart: str) -> float:
        means = _SCORES[labels].mean(axis=-1, keepdims=True)
        paired = replace(as_paired(means), apart=frozenset(apart))
        found = OpenComparisons(paired, has_units=False, **shape).difference("0", "1")
        assert found is not None
        low, high = found.interval(0.05) or (0.0, 0.0)
        return (high - low) / 2

    assert half_width([0, 1, 2, 3], "3") == pytest.approx(half_width([0, 1, 2]))
    assert half_width([0, 1, 2, 3]) > 1.2 * half_width([0, 1, 2])


@pytest.mark.parametrize("n_seeds", [3, 5])
@pytest.mark.parametrize("times", [1, 7])
def test_every_interval_holds_the_truth_as_often_as_it_says(times: float, n_seeds: int) -> None:
    """Standard error of 300 worlds: 0.7 points for six pairs that share theirs, more for the odd one's four."""
    found = promises(times, n_seeds, 300, apart=True)
    assert 0.925 <= found.covered <= 0.975
    assert found.covered_apart >= 0.915
    assert stats.binom.cdf(300 * found.false_winner - 1, 300, 0.05) < 0.99


def test_next_to_one_that_scatters_seven_times_as_much_the_others_are_seen_more_sharply() -> None:
    pooled, apart = (promises(7, 3, 100, apart) for apart in (False, True))
    assert apart.half_width < pooled.half_width / 2
    assert pooled.covered == 1.0


def test_two_tied_on_top_have_a_false_winner_in_at_most_a_twentieth() -> None:
    found = promises(3, 3, 300, apart=True, means=TWO_ON_TOP)
    assert stats.binom.cdf(300 * found.false_winner - 1, 300, 0.05) < 0.99
