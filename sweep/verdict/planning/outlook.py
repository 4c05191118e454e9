"""Whether more seeds can still lead to a winner: what an interim look on valid expects of the verdict on test.

Stopping for want of a chance is non-binding: it takes winners away and adds none, so no error rate rises by it
(Jennison & Turnbull, "Group Sequential Methods with Applications to Clinical Trials", 2000, ch. 10).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweep.verdict.crossed_effects import CrossedEffects

Array = NDArray[np.float64]

LEAST_CHANCE = 0.05  # of a winner; a group with less gets no more seeds
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(96)  # integrate over a standard normal
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class Outlook:
    """What comes after a look: the seeds at the last one, the units of test, the margin of equivalence."""

    seeds: int
    units: int
    margin: float


def chance_of_winner(means: Array, effects: CrossedEffects, outlook: Outlook, alpha: float) -> float:
    """The probability that some candidate is shown on test, at the last look, to be above all others.

    `means` (candidates,) on valid; `effects` are the pooled ones behind their differences, of the same seeds and units;
    `alpha` is a look's share. Predictive: flat prior on the true means, variances taken as estimated. With s, u and e
    the variances of seed, unit and residual, n seeds so far and N at the end, U units of valid and V of test, the score
    on test at the end minus that on valid now has, in each candidate on its own, the variance

        s (1/n - 1/N) + u/V + e/(V N) + u/U + e/(U n),

    because the first n seeds count in both. A winner's lead over every other must exceed the half-width of its
    interval on test.
    """
    s, u, e = (float(component) for component in effects.components)
    now, last = effects.n_seeds, outlook.seeds
    needed = float(effects.with_seeds(last).with_units(outlook.units).half_width(alpha))
    on_test = u / outlook.units + e / (outlook.units * last)
    on_valid = u / effects.n_units + e / (effects.n_units * now)
    spread = float(np.sqrt(s * (1 / now - 1 / last) + on_test + on_valid))
    short = means[:, None] - means[None, :] - needed  # (candidate, rival)
    if spread == 0:
        np.fill_diagonal(short, np.inf)
        return float((short > 0).all(axis=1).any())
    above = special.ndtr(short[:, :, None] / spread + _NODES)  # (candidate, rival, z of the candidate)
    above[np.arange(len(means)), np.arange(len(means))] = 1.0  # a candidate is not its own rival
    return float(np.clip((above.prod(axis=1) @ _WEIGHTS).sum(), 0, 1))
