"""The learning rate of the authors' code: linear warm-up, then linear decay."""


def linear_share(progress: float, warmup_share: float, floor: float) -> float:
    """The share of the peak rate at `progress`: from `floor` up over `warmup_share` of the budget, then down to it."""
    if progress < warmup_share:
        return floor + (1.0 - floor) * progress / warmup_share
    return floor + (1.0 - floor) * min(1.0, (1.0 - progress) / (1.0 - warmup_share))
