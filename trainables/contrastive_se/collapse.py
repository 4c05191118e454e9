"""Has the encoder collapsed? Without negatives a constant output would satisfy the contrastive loss perfectly."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.contrastive_se.contrastive import similarity

HEALTHY_SPREAD = 0.3  # of `spread`; below it frames of different speech agree to a cosine of about 0.9


@torch.no_grad()
def collapse_monitors(
    encoded: Tensor, predicted: Tensor, target: Tensor, valid: Tensor | None = None
) -> dict[str, float]:
    """Monitors of one batch as plain floats.

    Args:
        encoded: z, (views, batch, channels, frames).
        predicted, target: p and t, the same shape.
        valid: (batch, 1, frames), 0 in the padding, which does not count; None = no padding.

    Returns:
        z_std: per-channel deviation of unit-length z over batch and time, mean over channels; about
            1 / sqrt(channels) when healthy, 0 in collapse.
        spread: z_std as a share of its healthy value.
        effective_rank: exp of the entropy of the spectrum of z's covariance, 1 to channels.
        cosine_utterances: mean cosine between frames at the same place of different utterances (two or more).
        agreement_z, agreement_target: mean cosine of z1 with z2, and of p1 with t2.
        collapsed: 1 if `spread` is below HEALTHY_SPREAD, else 0.
    """
    channels = encoded.shape[2]
    frames = encoded[0].transpose(1, 2).float()  # (batch, frames, channels)
    real = frames.new_ones(frames.shape[:2]) if valid is None else valid[:, 0]
    counted = real.flatten().bool()
    unit = functional.normalize(frames, dim=-1)
    z_std = float(unit.flatten(0, 1)[counted].std(dim=0, correction=0).mean())
    spread = z_std * math.sqrt(channels)
    return {
        "z_std": z_std,
        "spread": spread,
        "effective_rank": _effective_rank(frames.flatten(0, 1)[counted]),
        **_between_utterances(unit, real),
        "agreement_z": float(similarity(encoded[0].float(), encoded[1].float(), valid=valid)),
        "agreement_target": float(similarity(predicted[0].float(), target[1].float(), valid=valid)),
        "collapsed": float(spread < HEALTHY_SPREAD),
    }


def _between_utterances(unit: Tensor, real: Tensor) -> dict[str, float]:
    """`unit` (batch, frames, channels) of unit length: the mean over pairs of different items, of `real` frames."""
    present = real.sum(dim=0)  # (frames,)
    pairs = (present * (present - 1)).sum()
    if pairs == 0:
        return {}
    sums = (unit * real[..., None]).sum(dim=0).square().sum(dim=-1)  # each pair twice, and each item with itself
    return {"cosine_utterances": float((sums - present).sum() / pairs)}


def _effective_rank(frames: Tensor) -> float:
    """Roy & Vetterli, "The effective rank", 2007, of the covariance of (frames, channels)."""
    spectrum = torch.linalg.eigvalsh(torch.cov(frames.T.double(), correction=0)).clamp_min(0.0)
    share = spectrum / spectrum.sum().clamp_min(1e-30)
    return float(torch.special.entr(share).sum().exp())
