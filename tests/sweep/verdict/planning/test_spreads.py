"""Variance components and the number of seeds that they ask for."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.simulated_designs import ALPHA, EXPECTED, UNITS, WANTED, outcomes, tied_world, wanted_world
from benchmarks.simulated_scores import World, as_paired, repeated
from sweep.verdict import crossed_effects
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.planning.spreads import Spreads

TRUE = Spreads(seed=0.03**2, speaker=0.08**2, utterance=0.10**2, speaker_residual=0.02**2, residual=0.06**2)


def by_speaker(speakers: int, each: int, candidates: int = 6, seeds: int = 5) -> PairedScores:
    """Scores with the spreads of `TRUE`, and what all candidates share."""
    rng = np.random.default_rng(2)
    shape = candidates, seeds, speakers, each

    def part(variance: float, *of: int) -> np.ndarray:
        return rng.normal(0, variance**0.5, of)

    scores = (
        part(TRUE.seed, candidates, seeds, 1, 1)
        + part(0.25, 1, 1, speakers, each)
        + part(TRUE.speaker, candidates, 1, speakers, 1)
        + part(TRUE.utterance, candidates, 1, speakers, each)
        + part(TRUE.speaker_residual, candidates, seeds, speakers, 1)
        + part(TRUE.residual, *shape)
    ).reshape(candidates, seeds, speakers * each)
    names = np.repeat([f"s{index:04d}" for index in range(speakers)], each)
    facts = pd.DataFrame({"speaker": names, "noise_type": "one"}, index=range(speakers * each))
    return PairedScores(
        labels=tuple(map(str, range(candidates))),
        seeds=tuple(range(seeds)),
        utterances=facts,
        scores=scores,
        noisy=None,
        finished=np.ones((candidates, seeds), dtype=bool),
        failures=(0,) * candidates,
    )


def test_every_component_is_found_again() -> None:
    found = Spreads.of(by_speaker(speakers=200, each=4, candidates=100, seeds=6))
    assert found is not None
    assert found.seed == pytest.approx(TRUE.seed, rel=0.15)
    assert found.speaker == pytest.approx(TRUE.speaker, rel=0.1)
    assert found.utterance == pytest.approx(TRUE.utterance, rel=0.1)
    assert found.speaker_residual == pytest.approx(TRUE.speaker_residual, rel=0.2)
    assert found.residual == pytest.approx(TRUE.residual, rel=0.1)


def test_the_design_that_was_measured_is_predicted_as_the_verdict_has_it() -> None:
    """With as many seeds, speakers and utterances, the mean squares are those of the scores."""
    paired = by_speaker(speakers=20, each=3)
    found = Spreads.of(paired)
    assert found is not None
    own = crossed_effects.of_differences(paired.complete_block.scores)
    assert own is not None
    expected = found.effects(5, 60, 20, 6)
    assert (expected.n_seeds, expected.n_units) == (own.n_seeds, own.n_units)
    assert float(expected.resolvable(ALPHA)) == pytest.approx(float(own.resolvable(ALPHA)), rel=1e-6)


def test_below_ten_speakers_utterances_are_the_unit() -> None:
    assert TRUE.effects(3, 60, 9, 6).n_units == 60
    assert TRUE.effects(3, 60, 0, 6).n_units == 60
    assert TRUE.effects(3, 60, 12, 6).n_units == 12
    assert TRUE.effects(3, 11, 12, 6).n_units == 11


def test_more_speakers_help_more_than_more_of_the_same() -> None:
    now = TRUE.resolvable(5, 60, 20, 6, ALPHA)
    assert TRUE.resolvable(5, 120, 40, 6, ALPHA) < TRUE.resolvable(5, 120, 20, 6, ALPHA) < now


def test_the_number_of_seeds_is_the_fewest_that_detect_the_difference() -> None:
    number = EXPECTED.seeds_for(WANTED, UNITS, 0, 6, ALPHA)
    assert number is not None
    assert EXPECTED.resolvable(number, UNITS, 0, 6, ALPHA) <= WANTED
    assert EXPECTED.resolvable(number - 1, UNITS, 0, 6, ALPHA) > WANTED
    assert EXPECTED.seeds_for(10.0, UNITS, 0, 6, ALPHA) == 3
    assert EXPECTED.seeds_for(1e-4, UNITS, 0, 6, ALPHA) is None


def test_a_variance_with_few_degrees_of_freedom_leans_on_the_expected_one() -> None:
    own = Spreads(4.0, 1.0, 1.0, 1.0, 1.0)
    expected = Spreads(1.0, 2.0, 2.0, 2.0, 2.0)
    assert own.steadied(expected, candidates=6, n_seeds=3) == own
    assert own.steadied(expected, candidates=2, n_seeds=3) == Spreads((2 * 4.0 + 8 * 1.0) / 10, 1.0, 1.0, 1.0, 1.0)


def test_one_candidate_or_seed_has_no_spread() -> None:
    assert Spreads.of(as_paired(np.zeros((1, 3, 20)))) is None
    assert Spreads.of(as_paired(np.zeros((3, 1, 20)))) is None


# -- the promises ------------------------------------------------------------------------------------------


def test_a_shift_of_any_candidate_changes_no_number() -> None:
    """The number of seeds follows from spreads alone: it cannot be a reaction to who leads."""
    valid, _ = next(iter(repeated(World(), 1, 3, 50, chunk=1)))
    shifted = valid + np.linspace(0, 5, 6)[None, :, None, None]
    first, second = (Spreads.of(as_paired(scores[0])) for scores in (valid, shifted))
    assert first is not None
    assert second is not None
    assert first.seed == pytest.approx(second.seed)
    assert first.seeds_for(WANTED, 50, 0, 6, ALPHA) == second.seeds_for(WANTED, 50, 0, 6, ALPHA)


def test_wanted_effects_are_found_and_false_winners_are_rare() -> None:
    """Allows 2 standard errors; the wide ranges are those of the promise."""
    wanted = list(outcomes(wanted_world(), 150))
    error = 2 * (0.8 * 0.2 / len(wanted)) ** 0.5
    assert 0.75 - error <= np.mean([outcome.found for outcome in wanted]) <= 0.85 + error
    tied = list(outcomes(tied_world(), 150))
    assert np.mean([outcome.won for outcome in tied]) <= 0.05 + 2 * (0.05 * 0.95 / len(tied)) ** 0.5


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("candidates", [2, 3, 6])
def test_the_promises_of_resolve_hold_in_many_worlds(candidates: int) -> None:
    wanted, tied = (list(outcomes(world(candidates), 2000, seed=1)) for world in (wanted_world, tied_world))
    assert 0.75 <= np.mean([outcome.found for outcome in wanted]) <= 0.85
    assert np.mean([outcome.won for outcome in tied]) <= 0.05 + 2 * (0.05 * 0.95 / len(tied)) ** 0.5
    assert 0.93 <= np.mean([outcome.covered for outcome in [*wanted, *tied]]) <= 0.97


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed_sd", "least"), [(0.02, 0.75), (0.0424, 0.72)])
def test_spreads_other_than_expected_cost_seeds_and_little_power(seed_sd: float, least: float) -> None:
    """The seeds' variance is half or twice what was expected; twice the planned seeds are the most there are."""
    wanted, tied = (list(outcomes(world(6, seed_sd), 2000, seed=2)) for world in (wanted_world, tied_world))
    assert least <= np.mean([outcome.found for outcome in wanted]) <= 0.85
    assert np.mean([outcome.won for outcome in tied]) <= 0.05 + 2 * (0.05 * 0.95 / len(tied)) ** 0.5
