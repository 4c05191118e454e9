"""The learning-rate curve of every method: linear warm-up, then a cosine down to a floor.

A function of progress alone, so that a resumed run continues it exactly.
"""

import math


def lr_factor(progress: float, warmup_share: float, floor: float) -> float:
    """The share of the peak rate at `progress` (step / whole budget, in [0, 1]).

    Rises linearly over the first `warmup_share` of the budget, then falls along half a cosine to `floor`.
    The warm-up starts at `floor` too, so that no step is wasted on a rate of zero.
    """
    if progress < warmup_share:
        return floor + (1.0 - floor) * progress / warmup_share
    remaining = min(1.0, (progress - warmup_share) / max(1e-12, 1.0 - warmup_share))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * remaining))
