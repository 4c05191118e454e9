"""The strength k of normalization over training, and the averaging horizons of its statistics.

Pure functions of progress, so that a resumed run continues them exactly. The strength falls to 0 before the
end of training: the deployed network needs no clean input.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.normalized_ssl.config import NormalizedSSLConfig

_PAPER_HORIZONS = (100.0, 1000.0)  # steps; beta_m = 0.99, beta_r = 0.999
_PAPER_SCALE = 20_000  # steps of budget from which the paper's horizons fit


def strength_at(config: "NormalizedSSLConfig", progress: float) -> float:
    """k at `progress` (step / whole budget): k0 while held, then down to 0 at `k_end` and beyond.

    "constant" stays at k0 to the end: an ablation, since deployment has no clean statistics.
    """
    if config.k_shape == "constant":
        return config.initial_strength
    u = progress / config.k_end
    if u >= 1.0:
        return 0.0
    u = max(0.0, u - config.k_hold) / (1.0 - config.k_hold)
    return config.initial_strength * _shape(config)(u)


def _shape(config: "NormalizedSSLConfig") -> Callable[[float], float]:
    """A fall from 1 at u = 0 to 0 at u = 1."""
    shapes: dict[str, Callable[[float], float]] = {
        "linear": lambda u: 1.0 - u,
        "cosine": lambda u: 0.5 * (1.0 + math.cos(math.pi * u)),
        "exp": lambda u: (math.exp(-5.0 * u) - math.exp(-5.0)) / (1.0 - math.exp(-5.0)),
        "step": lambda u: 1.0 - math.floor(4.0 * u) / 4.0,
        "poly": lambda u: (1.0 - u) ** config.k_power,
    }
    return shapes[config.k_shape]


def horizons(config: "NormalizedSSLConfig", budget: int) -> tuple[float, float]:
    """Steps over which means and deviation ratios are averaged, for a budget of that many steps.

    With the paper's beta_r of 0.999 a run of 300 steps would end near its first batch, so short budgets
    average over a fortieth and a tenth of themselves.
    """
    rule = _PAPER_HORIZONS if budget >= _PAPER_SCALE else (budget / 40, budget / 10)
    means = rule[0] if config.horizon_m is None else config.horizon_m
    ratios = rule[1] if config.horizon_r is None else config.horizon_r
    return max(1.0, means), max(1.0, ratios)
