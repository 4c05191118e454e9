"""Learning-rate curves: functions of progress, step and epoch alone, so that a resumed run continues them exactly."""

import math

NOAM_WARMUP_STEPS = 4000
NOAM_LR = 1e-3  # the configured rate at which noam is DPTNet's own; others scale the whole curve
_NOAM_WIDTH = 64
_NOAM_PLATEAU = 4e-4


def lr_factor(progress: float, warmup_share: float, floor: float) -> float:
    """Every method's curve by default: the share of the peak rate at `progress` (step / whole budget, in [0, 1]).

    Rises linearly over the first `warmup_share` of the budget, then falls along half a cosine to `floor`.
    The warm-up starts at `floor` too, so that no step is wasted on a rate of zero.
    """
    if progress < warmup_share:
        return floor + (1.0 - floor) * progress / warmup_share
    remaining = min(1.0, (progress - warmup_share) / max(1e-12, 1.0 - warmup_share))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * remaining))


def linear_factor(progress: float, warmup_share: float, floor: float) -> float:
    """As `lr_factor`, but falling along a straight line, as fine-tuning of self-supervised models has it."""
    if progress < warmup_share:
        return lr_factor(progress, warmup_share, floor)
    return floor + (1.0 - floor) * max(0.0, min(1.0, (1.0 - progress) / (1.0 - warmup_share)))


def noam_rate(step: int, epoch: int, scale: float) -> float:
    """DPTNet's learning rate itself: a warm-up by steps, then a decay by epochs (both counted from 0).

    scale * 64^-0.5 * (step + 1) * 4000^-1.5 for 4000 steps, then 4e-4 * 0.98^(epoch // 2).

    Chen, Mao, Liu, "Dual-Path Transformer Network", Interspeech 2020, section 3.2, with the constants of the
    public recipe. A scale of 0.2 makes the two parts meet (peak 3.95e-4); the recipe's script forgets to pass it,
    which gives 1.0 and a peak of 1.98e-3.
    """
    if step < NOAM_WARMUP_STEPS:
        return scale * _NOAM_WIDTH**-0.5 * (step + 1) * NOAM_WARMUP_STEPS**-1.5
    return _NOAM_PLATEAU * 0.98 ** (epoch // 2)
