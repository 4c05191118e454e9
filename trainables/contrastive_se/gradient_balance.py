"""An adaptive contrastive weight: the gradient norms of both terms at the last layer they share keep a fixed ratio.

The adaptive weight of VQGAN (Esser, Rombach & Ommer, "Taming transformers", 2021, eq. 7), which is GradNorm
(Chen et al., 2018) with alpha = 0, solved at each step. Enhancement keeps its own scale and only the
contrastive term is rescaled, so that the balance is not a change of learning rate.

The norms are of this step and of weights, both on purpose. SI-SDR's gradient grows as the estimate gets worse: with
running means (EnCodec's balancer) one bad batch lets the contrastive term dominate for as long as the mean lasts, which
makes the next batch worse. And the contrastive gradient is nearly the same in all frames, unlike the other: equal norms
at the activations give a threefold contrastive gradient at the weights.
"""

import torch
from torch import Tensor

LARGEST = 1e4  # VQGAN's: a contrastive term that has converged has no gradient left to scale
_SMALLEST_NORM = 1e-12


def balanced_weight(enhancement: Tensor, contrastive: Tensor, shared: Tensor, ratio: float) -> Tensor:
    """w with  ||w dL_CL/dW|| = ratio ||dL_SE/dW||  for the weights W = `shared`; it carries no gradient."""
    pull = ratio * _gradient_norm(enhancement, shared)
    return (pull / _gradient_norm(contrastive, shared).clamp_min(_SMALLEST_NORM)).clamp_max(LARGEST)


def _gradient_norm(loss: Tensor, weights: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, weights, retain_graph=True)
    return torch.linalg.vector_norm(gradient.float())
