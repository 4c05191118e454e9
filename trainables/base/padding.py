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


def group_norm(norm: nn.GroupNorm, features: Tensor, valid: Tensor | None) -> Tensor:
    """`norm` of (batch, channels, ...) with the statistics of valid positions alone.

    `valid` is 1 there and 0 in the padding, (batch, 1, ...) of the features' shape; None = no padding.
    """
    if valid is None:
        return norm(features)
    wide = features if features.dtype == torch.float64 else features.float()
    groups, valid = wide.unflatten(1, (norm.num_groups, -1)), valid[:, None].to(wide.dtype)
    over = tuple(range(2, groups.dim()))
    count = valid.sum(over, keepdim=True) * groups.shape[2]
    mean = (groups * valid).sum(over, keepdim=True) / count
    variance = ((groups - mean) * valid).square().sum(over, keepdim=True) / count
    normalized = ((groups - mean) * (variance + norm.eps).rsqrt()).flatten(1, 2)
    shape = (-1, *[1] * (features.dim() - 2))
    return normalized * norm.weight.view(shape) + norm.bias.view(shape)
