"""When the contrastive term is on, and with what weight: pure functions of progress, torch-free.

A phase with the term weighs the loss by `mix_scale`, a phase without it by `se_only_scale`; what remains of the
term in the latter is `cl_floor` of its weight (the report concludes that some of it must stay).
"""

import math

from trainables.contrastive_se.config import ContrastiveSEConfig

_ROUNDING = 1e-9  # progress is a quotient of whole steps: a switch must not slip by one


def contrastive_level(config: ContrastiveSEConfig, progress: float) -> float:
    """The share of the contrastive weight in force at `progress` (step / whole budget), in [0, 1]."""
    if not config.contrastive:
        return 0.0
    if config.schedule == "anneal":
        return config.cl_floor + (1.0 - config.cl_floor) * max(0.0, 1.0 - progress / config.anneal_share)
    return 1.0 if mixing(config, progress) else config.cl_floor


def loss_scale(config: ContrastiveSEConfig, progress: float) -> float:
    """The factor on the whole loss."""
    if not config.contrastive:
        return 1.0
    return config.mix_scale if mixing(config, progress) else config.se_only_scale


def mixing(config: ContrastiveSEConfig, progress: float) -> bool:
    """Whether this is a phase with the contrastive term; every schedule starts with one."""
    if not config.contrastive:
        return False
    if config.schedule == "round":
        return math.floor(progress / config.round_period + _ROUNDING) % 2 == 0
    return progress < _end_of_first_phase(config) - _ROUNDING


def target_decay(config: ContrastiveSEConfig, progress: float) -> float:
    """tau: the share of itself that the momentum encoder keeps; with `tau_ramp` it rises to 1 along half a cosine.

    Grill et al., "Bootstrap your own latent", 2020: 1 - (1 - tau)(cos(pi k / K) + 1) / 2.
    """
    if config.tau_ramp == "off":
        return config.tau
    return 1.0 - (1.0 - config.tau) * (math.cos(math.pi * progress) + 1.0) / 2.0


def _end_of_first_phase(config: ContrastiveSEConfig) -> float:
    """Of the schedules with one phase or two."""
    ends = {"full": math.inf, "pretrain": config.pretrain_share, "anneal": config.anneal_share}
    return ends[config.schedule]
