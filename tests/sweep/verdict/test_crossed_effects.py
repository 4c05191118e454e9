"""The estimator against textbook loops, and its promises against simulated worlds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from benchmarks.simulated_scores import TWO_ON_TOP, World, as_paired, claims, coverage, repeated
from sweep.verdict import crossed_effects
from sweep.verdict.comparisons import Comparisons, unstable
from sweep.verdict.crossed_effects import Array, CrossedEffects
from sweep.verdict.paired_scores import speaker_means

RNG = np.random.default_rng(7)


def effects_of(scores: Array) -> CrossedEffects:
    """Those behind a difference, of scores that have any."""
    effects = crossed_effects.of_differences(scores)
    assert effects is not None
    return effects


def textbook(scores: Array) -> tuple[dict[str, float], float, float]:
    """Mean squares and Satterthwaite's degrees of freedom, sum by sum, of (candidates, seeds, units)."""
    n_candidates, n_seeds, n_units = scores.shape
    centred = scores - scores.mean(axis=0)
    squares = {"seed": 0.0, "unit": 0.0, "residual": 0.0}
    for own in centred:
        level = own.mean()
        for s in range(n_seeds):
            squares["seed"] += n_units * (own[s].mean() - level) ** 2
        for u in range(n_units):
            squares["unit"] += n_seeds * (own[:, u].mean() - level) ** 2
        for s in range(n_seeds):
            for u in range(n_units):
                squares["residual"] += (own[s, u] - own[s].mean() - own[:, u].mean() + level) ** 2
    free = n_candidates - 1
    df = {
        "seed": free * (n_seeds - 1),
        "unit": free * (n_units - 1),
        "residual": free * (n_seeds - 1) * (n_units - 1),
    }
    ms = {name: squares[name] / df[name] for name in squares}
    total = ms["seed"] + ms["unit"] - ms["residual"]
    satterthwaite = total**2 / sum(ms[name] ** 2 / df[name] for name in ms)
    return ms, 2 * total / (n_seeds * n_units), satterthwaite


def test_mean_squares_variance_and_degrees_of_freedom_follow_the_textbook() -> None:
    scores = (
        RNG.standard_normal((4, 3, 1))
        + RNG.standard_normal((4, 1, 9))
        + RNG.standard_normal((1, 1, 9))
        + RNG.standard_normal((4, 3, 9))
    )
    effects = effects_of(scores)
    ms, variance, df = textbook(scores)
    assert effects.ms_seed == pytest.approx(ms["seed"])
    assert effects.ms_unit == pytest.approx(ms["unit"])
    assert effects.ms_residual == pytest.approx(ms["residual"])
    assert effects.variance == pytest.approx(variance)
    assert effects.df == pytest.approx(df)
    assert effects.half_width(0.05) == pytest.approx(stats.t.ppf(0.975, df) * variance**0.5)


def test_seeds_alone_give_the_paired_t_interval() -> None:
    """Without any utterance effect the seed means decide, as in a paired t-test on them."""
    first, second = RNG.standard_normal((2, 6, 1)) + 1e-9 * RNG.standard_normal((2, 6, 20))
    effects = effects_of(np.stack([first, second]))
    reference = stats.ttest_rel(first.mean(axis=1), second.mean(axis=1)).confidence_interval(0.95)
    assert 2 * effects.half_width(0.05) == pytest.approx(reference.high - reference.low, rel=1e-6)
    assert effects.df == pytest.approx(5)


def test_a_difference_of_two_is_the_level_of_their_difference() -> None:
    pair = RNG.standard_normal((2, 4, 7))
    by_pair = effects_of(pair)
    by_level = crossed_effects.of_level(pair[0] - pair[1])
    assert by_level is not None
    assert by_pair.variance == pytest.approx(by_level.variance)
    assert by_pair.df == pytest.approx(by_level.df)


def test_what_all_candidates_share_does_not_count() -> None:
    scores = RNG.standard_normal((5, 3, 8))
    shared = scores + 100 * RNG.standard_normal((1, 3, 8))
    before, after = effects_of(scores), effects_of(shared)
    assert after.variance == pytest.approx(before.variance)


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10), seed=st.integers(0, 1000))
def test_intervals_scale_with_the_metric_and_ignore_its_origin(scale: float, shift: float, seed: int) -> None:
    scores = np.random.default_rng(seed).standard_normal((3, 3, 6))
    plain = effects_of(scores).half_width(0.05)
    assert effects_of(scale * scores + shift).half_width(0.05) == pytest.approx(scale * plain)


def test_many_worlds_at_once_are_the_same_as_one_by_one() -> None:
    scores = RNG.standard_normal((3, 4, 3, 8))
    together = effects_of(scores).half_width(0.05)
    assert together == pytest.approx([effects_of(one).half_width(0.05) for one in scores])


@pytest.mark.parametrize("shape", [(1, 3, 8), (4, 1, 8), (4, 3, 1), (4, 0, 8)])
def test_fewer_than_two_of_anything_has_no_interval(shape: tuple[int, ...]) -> None:
    assert crossed_effects.of_differences(np.zeros(shape)) is None


def test_identical_scores_have_an_interval_of_no_width() -> None:
    effects = effects_of(np.zeros((3, 2, 4)))
    assert effects.half_width(0.05) == 0


def test_components_are_recovered() -> None:
    """Seed .03, candidate x unit .10, residual .10."""
    _, scores = next(repeated(World(), 50, 10, 200))
    seed, unit, residual = effects_of(scores).components
    assert np.sqrt([seed.mean(), unit.mean(), residual.mean()]) == pytest.approx([0.03, 0.1, 0.1], rel=0.05)


def test_more_seeds_shrink_only_what_seeds_cause() -> None:
    _, scores = next(repeated(World(), 50, 3, 50))
    effects = effects_of(scores)
    _, unit, _ = effects.components
    assert (effects.with_seeds(10).variance < effects.variance).all()
    assert effects.with_seeds(10**6).variance == pytest.approx(2 * unit / 50, rel=1e-2)


def test_seed_variances_are_unbiased_next_to_an_unstable_candidate() -> None:
    world = World(seed_sds=(0.09, 0.03, 0.03, 0.03, 0.03, 0.03))
    estimates = [crossed_effects.seed_variances(test) for _, test in repeated(world, 2000, 5, 10)]
    noise = 0.1**2 / 10  # the residual's, in the mean over ten units
    mean = np.concatenate(estimates).mean(axis=0)
    assert mean == pytest.approx(np.array(world.seed_sds) ** 2 + noise, rel=0.08)


@pytest.mark.parametrize("n_units", [50, 200, 824])
@pytest.mark.parametrize("n_seeds", [3, 5])
def test_intervals_cover_what_they_promise(n_seeds: int, n_units: int) -> None:
    assert 0.93 <= coverage(World(), 1000, n_seeds, n_units) <= 0.97


def test_speaker_means_cover_where_utterances_of_a_speaker_agree() -> None:
    """20 speakers with 10 utterances each, and a candidate x speaker effect: utterances promise too much."""
    speakers = np.repeat([f"s{speaker:02d}" for speaker in range(20)], 10)
    rng = np.random.default_rng(3)
    held: dict[str, list[NDArray[np.bool_]]] = {"utterance": [], "speaker": []}
    for _, test in repeated(World(), 1000, 3, 200):
        test = test + 0.1 * rng.standard_normal((*test.shape[:2], 20))[:, :, None].repeat(10, axis=-1)
        for unit, scores in (("utterance", test), ("speaker", speaker_means(test, speakers))):
            means = scores.mean(axis=(-1, -2))
            half = effects_of(scores).half_width(0.05)
            held[unit].append(np.abs(means[:, 0] - means[:, 1]) <= half)
    assert np.mean(held["utterance"]) < 0.9
    assert 0.93 <= np.mean(held["speaker"]) <= 0.97


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_false_winners_are_rare(n_seeds: int) -> None:
    """Nominated on valid with the very models that test sees. Allows 2 standard errors above 5 %."""
    won, _ = claims(TWO_ON_TOP, 600, n_seeds)
    assert won <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_false_gains_of_a_picked_layer_are_rare(n_seeds: int) -> None:
    """All equal, the best on valid is picked: Dunnett's limit keeps a false gain near 2.5 %."""
    won, false_gain = claims(World(), 600, n_seeds)
    assert false_gain <= 0.032 + 2 * (0.03 * 0.97 / 600) ** 0.5
    assert won <= 0.02


def test_a_real_gain_is_found() -> None:
    won, _ = claims(World(means=(0.15, 0.0, 0.0, 0.0, 0.0, 0.0)), 100, 5)
    assert won >= 0.95


def test_an_unstable_candidate_is_flagged_and_a_calm_world_seldom_is() -> None:
    wild = World(seed_sds=(0.3, 0.03, 0.03, 0.03, 0.03, 0.03))
    flagged = np.concatenate([unstable(test) for _, test in repeated(wild, 200, 5, 50)])
    calm = np.concatenate([unstable(test) for _, test in repeated(World(), 200, 5, 50)])
    assert flagged[:, 0].mean() > 0.95
    assert calm.mean() < 0.03


def test_an_unstable_candidate_widens_its_own_pairs_only() -> None:
    scores = 0.01 * RNG.standard_normal((6, 5, 40))
    scores[0] += np.array([-1.0, 1.0, -0.8, 0.9, -0.2])[:, None]
    comparisons = Comparisons(as_paired(scores))
    assert comparisons.pooled is not None
    pooled = comparisons.pooled.half_width(0.05)
    own = effects_of(scores[[0, 1]]).half_width(0.05)

    def width(first: str, second: str) -> float:
        difference = comparisons.difference(first, second)
        assert difference is not None
        interval = difference.interval(0.05)
        assert interval is not None
        low, high = interval
        return (high - low) / 2

    assert comparisons.unstable == ("0",)
    assert own > pooled
    assert width("0", "1") == pytest.approx(own)
    assert width("1", "2") == pytest.approx(pooled)


@pytest.mark.slow
@pytest.mark.parametrize("n_units", [50, 200, 824])
@pytest.mark.parametrize("n_seeds", [3, 5, 8])
def test_intervals_cover_what_they_promise_in_many_worlds(n_seeds: int, n_units: int) -> None:
    assert 0.94 <= coverage(World(), 6000, n_seeds, n_units) <= 0.96


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("n_seeds", [3, 5, 8, 10])
def test_false_winners_and_gains_are_rare_in_many_worlds(n_seeds: int) -> None:
    won, _ = claims(TWO_ON_TOP, 4000, n_seeds, seed=1)
    _, false_gain = claims(World(), 4000, n_seeds, seed=2)
    assert won <= 0.055
    assert 0.01 <= false_gain <= 0.032
