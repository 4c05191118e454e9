"""The negative-free contrastive loss between noisy views of the same clean speech.

Frame i of one view corresponds to frame i of another, since they share the clean crop: no alignment and no negatives
are needed. BYOL (Grill et al., 2020) compares with a momentum copy of the encoder, SimSiam (Chen & He, 2021)
with the encoder itself; either target passes no gradient on.
"""

from itertools import permutations

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_loss(predicted: Tensor, target: Tensor, pooled: bool = False, valid: Tensor | None = None) -> Tensor:
    """Negative mean similarity of each view's prediction with every other view's target, in [-1, 1].

    For two views:  L = -(Sim(p1, t2) + Sim(p2, t1)) / 2  (eqs. 1 and 3 of the report).

    Args:
        predicted: p, (views, batch, channels, frames).
        target: t, the same shape; the caller detaches it.
        pooled: compare averages over time instead of frames.
        valid: (batch, 1, frames), 0 in the padding, which does not count; None = no padding.
    """
    pairs = permutations(range(len(predicted)), 2)
    return -torch.stack([similarity(predicted[one], target[other], pooled, valid) for one, other in pairs]).mean()


def similarity(one: Tensor, other: Tensor, pooled: bool = False, valid: Tensor | None = None) -> Tensor:
    """Mean cosine along the channels of (batch, channels, frames), per frame or of the averages over time.

    On unit vectors ||p - t||^2 = 2 - 2 cos: the report's "L2 loss" has the same gradient up to a factor 2.
    """
    if pooled:
        return functional.cosine_similarity(_over_time(one, valid), _over_time(other, valid), dim=1).mean()
    cosines = functional.cosine_similarity(one, other, dim=1)
    return cosines.mean() if valid is None else (cosines * valid[:, 0]).sum() / valid.sum()


def _over_time(features: Tensor, valid: Tensor | None) -> Tensor:
    return features.mean(dim=-1) if valid is None else (features * valid).sum(dim=-1) / valid.sum(dim=-1)
