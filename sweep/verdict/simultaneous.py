"""Probabilities about several candidates at once, by fixed quadrature: no draws, so the same to the bit.

Dunnett's procedure compares several candidates with one baseline and keeps the chance of any false gain at
alpha (Dunnett 1955, "A multiple comparison procedure for comparing several treatments with a control"). Tukey's
compares all pairs, so that it holds for whichever pair the data make interesting (Tukey 1953, "The problem of multiple
comparisons"; with unequal variances conservative or nearly so: Hayter 1984, Games & Howell 1976).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special  # not stats: importing it takes longer than a leaderboard

Array = NDArray[np.float64]

_NORMAL_NODES, _NORMAL_WEIGHTS = np.polynomial.hermite_e.hermegauss(96)  # integrate over a standard normal
_NORMAL_WEIGHTS = _NORMAL_WEIGHTS / _NORMAL_WEIGHTS.sum()
_INTERVAL_NODES, _INTERVAL_WEIGHTS = np.polynomial.legendre.leggauss(64)  # integrate over [-1, 1]
_RANGE_NODES, _range_weights = 8 * np.polynomial.legendre.leggauss(200)[0], np.polynomial.legendre.leggauss(200)[1]
_RANGE_WEIGHTS = 8 * _range_weights * np.exp(-(_RANGE_NODES**2) / 2) / np.sqrt(2 * np.pi)  # over [-8, 8]
_LARGEST_DF = 1e6  # beyond this a t distribution is a normal one to every digit shown


def dunnett_p(t: float, n_compared: int, df: float) -> float:
    """P(max |T_i| > |t|) for `n_compared` t statistics that share a baseline (correlation 1/2)."""
    scale, scale_weight = _scale_nodes(min(float(df), _LARGEST_DF))
    reach = np.sqrt(2) * abs(t) * scale[:, None]
    inside = special.ndtr(_NORMAL_NODES + reach) - special.ndtr(_NORMAL_NODES - reach)
    return float(np.clip(1 - scale_weight @ (inside**n_compared @ _NORMAL_WEIGHTS), 0, 1))


@lru_cache(maxsize=256)
def dunnett_critical(alpha: float, n_compared: int, df: float) -> float:
    """The two-sided critical value: `dunnett_p` is alpha there."""
    return _critical(lambda t: dunnett_p(t, n_compared, df), alpha, n_compared, df)


def tukey_p(t: float, n_candidates: int, df: float) -> float:
    """P(max |T_ij| > |t|) for the t statistics of all pairs of `n_candidates` equally precise means."""
    scale, scale_weight = _scale_nodes(min(float(df), _LARGEST_DF))
    reach = np.sqrt(2) * abs(t) * scale[:, None]
    # Given the largest, all others lie within `reach` below it (the range of n normal deviates).
    inside = special.ndtr(_RANGE_NODES) - special.ndtr(_RANGE_NODES - reach)
    within = n_candidates * (inside ** (n_candidates - 1) @ _RANGE_WEIGHTS)
    return float(np.clip(1 - scale_weight @ within, 0, 1))


@lru_cache(maxsize=4096)
def tukey_critical(alpha: float, n_candidates: int, df: float) -> float:
    """The critical value of |t| for all pairs at once: `tukey_p` is alpha there."""
    pairs = n_candidates * (n_candidates - 1) // 2
    return _critical(lambda t: tukey_p(t, n_candidates, df), alpha, pairs, df)


def _critical(p: Callable[[float], float], alpha: float, n_compared: int, df: float) -> float:
    """Where `p` falls to alpha: between the quantile of one comparison and Bonferroni's for all."""
    single = t_above(alpha / 2, df)
    bonferroni = t_above(alpha / (2 * n_compared), df)  # never needed more than this
    if n_compared == 1:
        return single
    if not p(single) > alpha > p(bonferroni):
        return bonferroni  # below one degree of freedom the quadrature is too coarse; this bound always holds
    return float(optimize.brentq(lambda t: p(t) - alpha, single, bonferroni))


def t_above(probability: float, df: float) -> float:
    """The quantile that Student's t exceeds with this probability."""
    return -float(special.stdtrit(df, probability))


def probability_best(means: Array, standard_errors: Array | float, df: float) -> Array:
    """For each candidate, the probability that its true mean is the largest.

    Flat prior, independent errors of `standard_errors` (candidates,) on the `means` (candidates,), t-distributed
    with `df`. A description of the data, never a decision.
    """
    errors = np.broadcast_to(standard_errors, means.shape)
    if not errors.all():
        best = means == means.max()
        return best / best.sum()
    scale, scale_weight = _scale_nodes(min(float(df), _LARGEST_DF))
    ahead = (means[:, None] - means[None, :]) / errors  # (candidate, rival)
    wider = (errors[:, None] / errors)[:, :, None, None]
    above = special.ndtr(wider * _NORMAL_NODES + ahead[:, :, None, None] * scale[:, None])  # (..., scale, z)
    above[np.arange(len(means)), np.arange(len(means))] = 1.0  # a candidate is not its own rival
    probability = above.prod(axis=1) @ _NORMAL_WEIGHTS @ scale_weight
    return probability / probability.sum()


def holm_adjusted(ps: Sequence[float]) -> list[float]:
    """Step-down adjusted p-values: claim those at most alpha (Holm 1979)."""
    adjusted = [1.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted


@lru_cache(maxsize=256)
def _scale_nodes(df: float) -> tuple[Array, Array]:
    """Nodes and weights that integrate over sqrt(chi2(df) / df), the scale of a t distribution."""
    low, high = np.sqrt(special.chdtri(df, [1 - 1e-13, 1e-13]) / df)
    scale = low + (high - low) * (_INTERVAL_NODES + 1) / 2
    # The density of chi2 at df scale^2 up to a constant, times d chi2 / d scale.
    log_density = (df - 1) * np.log(scale) - df * scale**2 / 2
    weights = _INTERVAL_WEIGHTS * np.exp(log_density - log_density.max())
    return scale, weights / weights.sum()
