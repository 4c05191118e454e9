"""Roots have the bits of scipy's."""

import math
from collections.abc import Callable

import pytest
from scipy.optimize import brentq

from sweep.core.roots import root
from sweep.verdict.simultaneous import dunnett_p, t_above, tukey_p


@pytest.mark.parametrize("p", [tukey_p, dunnett_p])
@pytest.mark.parametrize("df", [1.3, 8, 119.4])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_critical_values_are_scipys_to_the_bit(
    p: Callable[[float, int, float], float], df: float, alpha: float
) -> None:
    for n_candidates in (3, 12):
        low, high = t_above(alpha / 2, df), t_above(alpha / (n_candidates * (n_candidates - 1)), df)

        def excess(t: float, n_candidates: int = n_candidates) -> float:
            return p(t, n_candidates, df) - alpha

        assert root(excess, low, high) == brentq(excess, low, high)


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (3.0, 0.0), (-2.0, 1.1), (0.0, 1e9)])
def test_other_functions_too(low: float, high: float) -> None:
    for function in (lambda x: x**3 - 1, lambda x: math.atan(x - 1), lambda x: x - 1, lambda x: (x > 1) - 0.5):
        assert root(function, low, high) == brentq(function, low, high)
    assert root(lambda x: x, 0.0, 2.0) == 0.0
    with pytest.raises(ValueError, match="one sign"):
        root(lambda x: x + 9, low, high)
