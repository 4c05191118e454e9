"""A world in which the truth is known: scores with PESQ-like spreads, for checking the statistics."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweep.verdict import crossed_effects
from sweep.verdict.comparisons import Comparisons, Difference
from sweep.verdict.paired_scores import PairedScores

SEED_SD = 0.03
UNIT_SD = 0.10  # candidate x utterance
RESIDUAL_SD = 0.10
UTTERANCE_SD = 0.50  # what all candidates share


@dataclass(frozen=True)
class World:
    """True means of the candidates, and the spread of each one's seeds."""

    means: tuple[float, ...] = (0.0,) * 6
    seed_sds: tuple[float, ...] = (SEED_SD,) * 6

    def seed_effects(self, rng: np.random.Generator, repeats: int, n_seeds: int) -> NDArray[np.float64]:
        """(repeats, candidates, seeds, 1): a trained model's luck, the same on valid and test."""
        draws = rng.standard_normal((repeats, len(self.means), n_seeds, 1))
        return draws * np.array(self.seed_sds)[:, None, None]

    def scores(self, rng: np.random.Generator, seed_effects: NDArray[np.float64], n_units: int) -> NDArray[np.float64]:
        """(repeats, candidates, seeds, units) scores of these models on fresh units."""
        repeats, candidates, n_seeds, _ = seed_effects.shape
        return (
            np.array(self.means)[:, None, None]
            + seed_effects
            + UTTERANCE_SD * rng.standard_normal((repeats, 1, 1, n_units))
            + UNIT_SD * rng.standard_normal((repeats, candidates, 1, n_units))
            + RESIDUAL_SD * rng.standard_normal((repeats, candidates, n_seeds, n_units))
        )


# The hard case: only the tie on top stands between luck and a win.
TWO_ON_TOP = World(means=(0.3, 0.3, 0.0, 0.0, 0.0, 0.0))


def repeated(
    world: World, repeats: int, n_seeds: int, n_units: int, seed: int = 0, chunk: int = 50
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield (valid, test) scores of `chunk` worlds at a time, each (chunk, candidates, seeds, units)."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats // chunk):
        effects = world.seed_effects(rng, chunk, n_seeds)
        yield world.scores(rng, effects, n_units), world.scores(rng, effects, n_units)


def coverage(world: World, repeats: int, n_seeds: int, n_units: int) -> float:
    """How often the interval of a pair holds the truth, over all pairs."""
    first, second = np.triu_indices(len(world.means), 1)
    true = np.subtract.outer(world.means, world.means)[first, second]
    held = []
    for _, test in repeated(world, repeats, n_seeds, n_units):
        means = test.mean(axis=(-1, -2))
        effects = crossed_effects.of_differences(test)
        assert effects is not None
        half = effects.half_width(0.05)[:, None]
        held.append(np.abs(means[:, first] - means[:, second] - true) <= half)
    return float(np.mean(held))


def claims(world: World, repeats: int, n_seeds: int, n_units: int = 200, seed: int = 0) -> tuple[float, float]:
    """Shares of worlds with a winner, and with a gain claimed over candidate 5 that is not there."""
    labels = [str(label) for label in range(len(world.means))]
    won = false_gain = 0
    for valid, test in repeated(world, repeats, n_seeds, n_units, seed):
        for on_valid, on_test in zip(valid, test, strict=True):
            leader = labels[int(on_valid.mean(axis=(1, 2)).argmax())]
            comparisons = Comparisons(as_paired(on_test))
            leads = [comparisons.difference(leader, label) for label in labels if label != leader]
            won += all(_shown(lead) for lead in leads)
            if leader != "5":
                false_gain += _claimed(comparisons.difference(leader, "5"))
    return won / repeats, false_gain / repeats


def _shown(lead: Difference | None) -> bool:
    assert lead is not None
    interval = lead.interval(0.05)
    assert interval is not None
    return interval[0] > 0


def _claimed(gain: Difference | None) -> bool:
    assert gain is not None
    if gain.value <= 0:
        return False
    p = gain.dunnett_p(5)
    assert p is not None
    return p < 0.05


@cache
def _of_one_speaker(n_units: int) -> pd.DataFrame:
    return pd.DataFrame({"speaker": "one", "noise_type": "one"}, index=range(n_units))


def as_paired(scores: NDArray[np.float64], left_after: dict[str, int] | None = None) -> PairedScores:
    """One world's (candidates, seeds, utterances) scores, analysed by utterance; candidates are "0", "1", ...

    Those in `left_after` have only so many seeds; the others have all.
    """
    candidates, n_seeds, n_units = scores.shape
    left = left_after or {}
    given = np.array([left.get(str(label), n_seeds) for label in range(candidates)])
    return PairedScores(
        labels=tuple(str(label) for label in range(candidates)),
        seeds=tuple(range(n_seeds)),
        utterances=_of_one_speaker(n_units),
        scores=scores,
        noisy=None,
        finished=np.arange(n_seeds) < given[:, None],
        failures=(0,) * candidates,
        left_after=left,
    )
