"""Gradient reversal: identity forwards, the gradient times a negative factor backwards.

Ganin and Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015: behind it a classifier learns to
tell domains apart, and what is before it learns to make them alike, in one backward pass.
"""

import math
from typing import Any

import torch
from torch import Tensor


def reverse_gradient(features: Tensor, strength: float) -> Tensor:
    """The same features; their gradient is multiplied by `-strength`, which is finite and 0 or more.

    Raises:
        ValueError: `strength` is not.
    """
    if not (math.isfinite(strength) and strength >= 0.0):
        raise ValueError(f"strength={strength}: a finite number, 0 or more")
    return _Reversal.apply(features, strength)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None
