"""Sinusoidal positions of a sequence (Vaswani et al., "Attention is all you need", 2017, section 3.5)."""

import math

import torch
from torch import Tensor


def sinusoidal_positions(frames: int, channels: int) -> Tensor:
    """(frames, channels): sine in even columns, cosine in odd ones, base 10000; an even number of channels.

    Angles of hundreds of radians need float64, in which s3prl computes them, too; the table is float32.
    """
    frequencies = torch.exp(torch.arange(0, channels, 2, dtype=torch.float64) * (-math.log(10000.0) / channels))
    angles = torch.arange(frames, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()
