"""`--resolve` in worlds with a known truth: the number of seeds set after the first three, and the verdict then."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_scores import RESIDUAL_SD, SEED_SD, UNIT_SD, World, as_paired, repeated
from sweep.plan.plan import FIRST_SEEDS
from sweep.plan.resolution import CAP
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.planning.spreads import Spreads
from sweep.verdict.verdict import nominate

ALPHA = 0.05
WANTED = 0.05  # the difference to detect
UNITS = 200
EXPECTED = Spreads.of_units(SEED_SD, UNIT_SD, RESIDUAL_SD)


@dataclass(frozen=True)
class Outcome:
    """Of one world: its number of seeds, whether the first candidate won, whether any did, intervals that held."""

    seeds: int
    found: bool
    won: bool
    covered: float


def wanted_world(candidates: int = 6, seed_sd: float = SEED_SD, rest: float = -0.3) -> World:
    """The first candidate leads the second by the wanted difference; the others lie `rest` from the second."""
    return World(means=(WANTED, 0.0, *[rest] * (candidates - 2)), seed_sds=(seed_sd,) * candidates)


def tied_world(candidates: int = 6, seed_sd: float = SEED_SD) -> World:
    """Two are tied on top, .3 above the rest."""
    return World(means=(0.0, 0.0, *[-0.3] * (candidates - 2)), seed_sds=(seed_sd,) * candidates)


def outcomes(world: World, repeats: int, expected: Spreads = EXPECTED, seed: int = 0) -> Iterator[Outcome]:
    """Planned by the `expected` spreads, which need not be the world's."""
    candidates = len(world.means)
    planned = expected.seeds_for(WANTED, UNITS, 0, candidates, ALPHA)
    assert planned is not None
    for valid, test in repeated(world, repeats, CAP * planned, UNITS, seed):
        for on_valid, on_test in zip(valid, test, strict=True):
            yield _outcome(world, on_valid, on_test, expected, CAP * planned)


def _outcome(
    world: World, valid: NDArray[np.float64], test: NDArray[np.float64], expected: Spreads, most: int
) -> Outcome:
    """Of (candidates, seeds, units) scores."""
    found = Spreads.of(as_paired(valid[:, :FIRST_SEEDS]))
    assert found is not None
    found = found.steadied(expected, len(valid), FIRST_SEEDS)
    n_seeds = found.seeds_for(WANTED, UNITS, 0, len(valid), ALPHA, most) or most
    leader = nominate(as_paired(valid[:, :n_seeds]))
    assert leader is not None
    comparisons = Comparisons(as_paired(test[:, :n_seeds]))
    intervals = {}
    for label in comparisons.paired.labels:
        lead = comparisons.difference(leader, label)
        intervals[label] = lead.interval(ALPHA) if lead and label != leader else None
    leads = {label: interval for label, interval in intervals.items() if interval is not None}
    won = all(low > 0 for low, _ in leads.values())
    # The pair that was named beforehand: the leader is chosen, and its intervals hold a little less often.
    first = comparisons.difference("0", "1")
    assert first is not None
    pair = first.interval(ALPHA)
    assert pair is not None
    covered = pair[0] <= world.means[0] - world.means[1] <= pair[1]
    return Outcome(n_seeds, won and leader == "0", won, float(covered))
