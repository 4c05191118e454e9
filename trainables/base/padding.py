"""Which samples or frames of a zero-padded batch are real, and norms over those alone.

An item of a padded batch must come out as it does alone, so every layer that looks beyond its own frame (attention,
norms over time, convolutions, recurrence) is given a mask. Where no item is padded there is none, and nothing is
computed twice.
"""

import torch
from torch import Tensor, nn


def valid_mask(signal: Tensor, lengths: Tensor | None) -> Tensor:
    """1 on valid samples and 0 on padding: (batch, samples), in the signal's dtype.

    Args:
        signal: (batch, samples); of features in time any channel.
        lengths: (batch,) valid samples of each item; None = no padding.
    """
    if lengths is None:
        return torch.ones_like(signal)
    positions = torch.arange(signal.shape[-1], device=signal.device)
    return (positions < lengths.to(signal.device).unsqueeze(-1)).to(signal.dtype)


def where_padded(signal: Tensor, lengths: Tensor | None) -> Tensor | None:
    """`lengths` (batch,) on the device of (batch, ..., samples), or None where no item is padded."""
    if lengths is None or bool((lengths >= signal.shape[-1]).all()):
        return None
    return lengths.to(signal.device)


def masked(features: Tensor, valid: Tensor | None) -> Tensor:
    """Features with zeros in the padding; `valid` as in `group_norm`."""
    return features if valid is None else features * valid


def batch_norm(norm: nn.BatchNorm1d, features: Tensor, valid: Tensor) -> Tensor:
    """`norm` of (batch, channels, frames) with the statistics of valid frames alone; `valid` as in `group_norm`."""
    if not norm.training:
        return norm(features)
    wide = features if features.dtype == torch.float64 else features.float()
    count = valid.sum()
    mean = (wide * valid).sum((0, 2)) / count
    variance = ((wide - mean[:, None]) * valid).square().sum((0, 2)) / count
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
    normalized = (wide - mean[:, None]) * (variance[:, None] + norm.eps).rsqrt()
    return normalized * norm.weight[:, None] + norm.bias[:, None]


def group_norm(norm: nn.GroupNorm, features: Tensor, valid: Tensor | None) -> Tensor:
    """`norm` of (batch, channels, ...) with the statistics of valid positions alone.

    `valid` is 1 there and 0 in the padding, (batch, 1, ...), of the features' shape when broadcast; None = no padding.
    """
    if valid is None:
        return norm(features)
    wide = features if features.dtype == torch.float64 else features.float()
    groups = wide.unflatten(1, (norm.num_groups, -1))
    valid = valid.to(wide.dtype).expand(-1, -1, *features.shape[2:])[:, None]
    over = tuple(range(2, groups.dim()))
    count = valid.sum(over, keepdim=True) * groups.shape[2]
    mean = (groups * valid).sum(over, keepdim=True) / count
    variance = ((groups - mean) * valid).square().sum(over, keepdim=True) / count
    normalized = ((groups - mean) * (variance + norm.eps).rsqrt()).flatten(1, 2)
    shape = (-1, *[1] * (features.dim() - 2))
    return normalized * norm.weight.view(shape) + norm.bias.view(shape)
