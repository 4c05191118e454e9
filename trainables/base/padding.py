"""Which samples or frames of a zero-padded batch are real."""

import torch
from torch import Tensor


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
