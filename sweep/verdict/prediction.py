"""The prediction interval of one more run: where the score of a new seed on a new test set of this size would lie.

With the crossed model of `sweep.verdict.crossed_effects` for one candidate, score = mean + seed + unit + residual with
variances s2, u2 and e2, the mean of S seeds and U units has the variance s2/S + u2/U + e2/(SU) about the true mean,
and that of a new run on U new units has s2 + u2/U + e2/U. The two are independent, so their difference has

    W = s2 (1 + 1/S) + 2 u2/U + e2 (S + 1)/(SU) = [(S + 1) MS_s + 2 (MS_u - MS_e)] / (SU)

by the expected mean squares MS_s = e2 + U s2, MS_u = e2 + S u2, MS_e = e2 (Searle, Casella & McCulloch, "Variance
Components", 1992, ch. 4; a prediction interval adds the variance of the new observation to that of the mean, Hahn &
Meeker, "Statistical Intervals", 1991, ch. 4). The part of the seeds has S - 1 degrees of freedom, that of the units
about U - 1. Satterthwaite's number for their sum, W^2 / sum(part^2 / df), takes the estimated shares for the true
ones; from three seeds, which weigh four or five times more here than in the verdict's differences, it covered only 91
to 93 % in some simulated worlds. With the shares themselves in place of their squares, W / sum(part / df), which is
fewer, coverage is 94 to 97 % from three seeds up (tests/sweep/verdict/test_prediction.py). Two seeds are too few.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweep.verdict import crossed_effects

Array = NDArray[np.float64]

FEWEST_SEEDS = 3


def prediction_half_width(scores: Array, alpha: float) -> Array | None:
    """Half the width of the two-sided (1 - alpha) prediction interval about the mean of (..., seeds, units) scores.

    None with fewer than three seeds or two units.
    """
    effects = crossed_effects.of_level(scores)
    if effects is None or effects.n_seeds < FEWEST_SEEDS:
        return None
    cells = effects.n_seeds * effects.n_units
    of_seeds = (effects.n_seeds + 1) * effects.ms_seed / cells
    of_units = 2 * np.maximum(effects.ms_unit - effects.ms_residual, 0) / cells
    total = of_seeds + of_units
    share = np.divide(of_seeds, total, out=np.zeros_like(total), where=total > 0)
    df = 1 / (share / (effects.n_seeds - 1) + (1 - share) / (effects.n_units - 1))
    return -special.stdtrit(df, alpha / 2) * np.sqrt(total)
