"""Moments of features and the affine map between them (Yang & Kang, Algorithm 1).

Every channel of the noisy features x is moved towards the mean and deviation of clean ones:

    x <- (1 + k (r - 1)) x + k (m_clean - r m_noisy),    r = sigma_clean / sigma_noisy

k = 1 replaces the statistics, k = 0 is the identity.
"""

import torch
from torch import Tensor, distributed

Moments = tuple[Tensor, Tensor]  # mean and biased deviation, (channels,) each

_DEVIATION_EPS = 1e-5
_RATIO_RANGE = (0.1, 10.0)  # channels after a GELU can be almost constant


@torch.no_grad()
def moments(features: Tensor, valid: Tensor | None = None) -> Moments:
    """Mean and biased deviation per channel over batch and time, in float32.

    Args:
        features: (batch, channels, frames), or more axes of time.
        valid: (batch, 1, frames), 0 where a frame is padding. With it the moments are those of the whole batch of
            a distributed run, by two passes: one sum for the means, one for the centred squares.
    """
    features = features.float()
    if valid is None:
        by_channel = features.transpose(0, 1).flatten(1)
        return by_channel.mean(1), by_channel.std(1, correction=0)
    valid = valid.to(features.dtype)
    over = (0, *range(2, features.dim()))
    count = _over_processes(valid.sum())
    mean = _over_processes((features * valid).sum(dim=over)) / count
    squares = ((features - mean.view(-1, *[1] * (features.dim() - 2))) * valid).square().sum(dim=over)
    return mean, (_over_processes(squares) / count).sqrt()


def deviation_ratio(noisy: Moments, clean: Moments) -> Tensor:
    """r = sigma_clean / sigma_noisy, (channels,), limited to 0.1 .. 10."""
    return ((clean[1] + _DEVIATION_EPS) / (noisy[1] + _DEVIATION_EPS)).clamp(*_RATIO_RANGE)


def affine(features: Tensor, k: Tensor, noisy_mean: Tensor, clean_mean: Tensor, ratio: Tensor) -> Tensor:
    """The map above on (batch, channels, ...); k is a scalar, means and ratio are (channels,)."""
    scale = 1.0 + k * (ratio - 1.0)
    shift = k * (clean_mean - ratio * noisy_mean)
    shape = (-1, *[1] * (features.dim() - 2))
    return scale.view(shape) * features + shift.view(shape)


def _over_processes(total: Tensor) -> Tensor:
    """Sum over the processes of a distributed run; the total itself in a single one."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(total)
    return total
