"""The strength k of normalization over training.

A pure function of progress, so that a resumed run continues it exactly. The strength falls to 0 before the
end of training: the deployed network needs no clean input.
"""

import math
from collections.abc import Callable

from trainables.normalized_ssl.config import NormalizedSSLConfig


def strength_at(config: NormalizedSSLConfig, progress: float) -> float:
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


def _shape(config: NormalizedSSLConfig) -> Callable[[float], float]:
    """A fall from 1 at u = 0 to 0 at u = 1."""
    shapes: dict[str, Callable[[float], float]] = {
        "linear": lambda u: 1.0 - u,
        "cosine": lambda u: 0.5 * (1.0 + math.cos(math.pi * u)),
        "exp": lambda u: (math.exp(-5.0 * u) - math.exp(-5.0)) / (1.0 - math.exp(-5.0)),
        "step": lambda u: 1.0 - math.floor(4.0 * u) / 4.0,
        "poly": lambda u: (1.0 - u) ** config.k_power,
    }
    return shapes[config.k_shape]
