"""Worlds with one candidate whose scores scatter unlike the others': what pooling with it, and without it, promises.

As in the demo, an untrained body next to pre-trained ones: its spreads between seeds and between units are several
times theirs. `python -m benchmarks.verdict_promises apart`.
"""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.simulated_scores import SEED_SD, UNIT_SD, World, as_paired
from sweep.verdict.comparisons import Comparisons

EQUAL = (0.0, 0.0, 0.0, 0.0, 0.0)
TWO_ON_TOP = (0.3, 0.3, 0.0, 0.0, 0.0)
N_UNITS = 60


@dataclass(frozen=True)
class Promises:
    """Shares of intervals that hold the truth and of worlds with a false winner; the mean half-width among the rest."""

    covered: float  # of two that are alike
    covered_apart: float  # of one of these and the one that is apart
    false_winner: float
    half_width: float


def promises(times: float, n_seeds: int, worlds: int, apart: bool, means: tuple[float, ...] = EQUAL) -> Promises:
    """The last candidate scatters `times` as much as the others; `apart`: whether it is set apart.

    On top of `means` there is a tie, so that no winner is true.
    """
    last, labels = len(means) - 1, [str(label) for label in range(len(means))]
    world = World(means=means, seed_sds=(*[SEED_SD] * last, times * SEED_SD))
    rng, more = np.random.default_rng(5), UNIT_SD * (times**2 - 1) ** 0.5
    alike: list[bool] = []
    odd: list[bool] = []
    widths: list[float] = []
    won = 0
    for _ in range(worlds):
        effects, its_units = world.seed_effects(rng, 1, n_seeds), np.zeros((len(means), 1, N_UNITS))
        its_units[last] = more * rng.standard_normal(N_UNITS)
        valid, test = (world.scores(rng, effects, N_UNITS)[0] for _ in range(2))
        paired = replace(as_paired(test + its_units), apart=frozenset(labels[last:] if apart else ()))
        comparisons = Comparisons(paired)
        leader = labels[int(valid.mean(axis=(1, 2)).argmax())]
        won += all(_interval(comparisons, leader, label)[0] > 0 for label in labels if label != leader)
        for first in range(len(means)):
            for second in range(first):
                low, high = _interval(comparisons, labels[first], labels[second])
                (odd if first == last else alike).append(low <= means[first] - means[second] <= high)
                widths += [(high - low) / 2] if first < last else []
    return Promises(float(np.mean(alike)), float(np.mean(odd)), won / worlds, float(np.mean(widths)))


def _interval(comparisons: Comparisons, first: str, second: str) -> tuple[float, float]:
    found = comparisons.difference(first, second)
    interval = found and found.interval(0.05)
    assert interval
    return interval
