"""Whole races of `--seeds auto` in worlds with a known truth: who wins, and how many seeds are trained."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_scores import TWO_ON_TOP, World, as_paired, repeated
from sweep.settings.new_plan import LOOKS
from sweep.verdict.comparisons import Comparisons
from sweep.verdict.contention import look
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.planning.outlook import Outlook
from sweep.verdict.verdict import nominate

ALPHA = 0.05
SHARE = ALPHA / len(LOOKS)
MARGIN = 0.03  # PESQ's
ALL_EQUAL = World()
ONE_LEADS = World(means=(0.15, 0.0, 0.0, 0.0, 0.0, 0.0))
WORLDS = {
    "all equal": ALL_EQUAL,
    "two tied .3 above the rest": TWO_ON_TOP,
    "one leads by .15": ONE_LEADS,
    ".12, .04, 0, 0, 0, -.3": World(means=(0.12, 0.04, 0.0, 0.0, 0.0, -0.3)),
    "one leads by .08": World(means=(0.08, 0.0, 0.0, 0.0, 0.0, 0.0)),
    "one leads by .05": World(means=(0.05, 0.0, 0.0, 0.0, 0.0, 0.0)),
}


@dataclass(frozen=True)
class Outcome:
    """Of one world: the winner or None, the seeds of those that left, the seeds given in all, the intervals that held.

    `covered`: the share of the leader's intervals on test that hold the truth.
    """

    winner: str | None
    left_after: dict[str, int]
    seeds: int
    covered: float


def outcomes(
    world: World, repeats: int, n_units: int = 200, seed: int = 0, stops_ties: bool = True
) -> Iterator[Outcome]:
    """Races in this world. Without `stops_ties` a group goes on until its candidates have left or have all seeds."""
    for valid, test in repeated(world, repeats, LOOKS[-1], n_units, seed):
        for on_valid, on_test in zip(valid, test, strict=True):
            yield race(world, on_valid, on_test, stops_ties)


def race(world: World, valid: NDArray[np.float64], test: NDArray[np.float64], stops_ties: bool) -> Outcome:
    """All looks of one world, and the verdict; scores are (candidates, seeds, units)."""
    labels = [str(label) for label in range(len(valid))]
    outlook = Outlook(LOOKS[-1], test.shape[-1], MARGIN) if stops_ties else None
    staying, given = labels, LOOKS[0]
    left: dict[str, int] = {}
    for n_seeds in LOOKS[:-1]:
        found = look(_part(valid, staying, n_seeds), SHARE, outlook)
        left |= dict.fromkeys(found.left, n_seeds)
        staying = list(found.staying)
        if not found.further:
            break
        given = next(end for end in LOOKS if end > n_seeds)
    shown = {label: n_seeds for label, n_seeds in left.items() if n_seeds < given}
    leader = nominate(as_paired(valid[:, :given], shown))
    assert leader is not None
    comparisons = Comparisons(as_paired(test[:, :given], shown))
    rivals = [label for label in labels if label != leader]
    leads = {label: _interval(comparisons, leader, label) for label in rivals}
    true = {label: world.means[int(leader)] - world.means[int(label)] for label in rivals}
    won = all(low > 0 for low, _ in leads.values())
    covered = float(np.mean([low <= true[label] <= high for label, (low, high) in leads.items()]))
    return Outcome(leader if won else None, left, sum(left.values()) + given * len(staying), covered)


def _part(scores: NDArray[np.float64], labels: list[str], n_seeds: int) -> PairedScores:
    """The first seeds of some candidates, under their own labels."""
    paired = as_paired(scores[[int(label) for label in labels], :n_seeds])
    return replace(paired, labels=tuple(labels))


def _interval(comparisons: Comparisons, leader: str, label: str) -> tuple[float, float]:
    """Of the leader's lead."""
    lead = comparisons.difference(leader, label)
    assert lead is not None
    interval = lead.interval(SHARE)
    assert interval is not None
    return interval
