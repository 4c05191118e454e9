"""An adaptive contrastive weight: two gradients kept at a fixed ratio of norms.

After the loss balancer of EnCodec (Defossez et al., "High fidelity neural audio compression", 2022, section
3.4), which divides each loss's gradient by a running mean of its norm at the last tensor the losses share.
Here enhancement keeps its own scale and only the contrastive term is rescaled, so that the balance is not a
change of learning rate. Rules on the losses' values (ratios, uncertainties) would not do: both go negative.
"""

import torch
from torch import Tensor, nn

DECAY = 0.99  # of the running means
LARGEST = 1e3  # of the weight: a contrastive term that has converged has no gradient left to scale


class GradientBalance(nn.Module):
    """The weight w with  ||w dL_CL/dh|| = ratio ||dL_SE/dh||  in running means, h the shared tensor."""

    enhancement: Tensor
    contrastive: Tensor

    def __init__(self, ratio: float):
        super().__init__()
        self.ratio = ratio
        self.register_buffer("enhancement", torch.tensor(0.0))
        self.register_buffer("contrastive", torch.tensor(0.0))

    def weight(self, enhancement: Tensor, contrastive: Tensor, shared: Tensor) -> Tensor:
        """Take this step's gradients into the running means and give the weight, without a gradient.

        The means start at 0; the bias this leaves is the same in both and cancels.
        """
        _follow(self.enhancement, _gradient_norm(enhancement, shared))
        _follow(self.contrastive, _gradient_norm(contrastive, shared))
        return (self.ratio * self.enhancement / self.contrastive.clamp_min(1e-12)).clamp_max(LARGEST)


def _gradient_norm(loss: Tensor, shared: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, shared, retain_graph=True)
    return torch.linalg.vector_norm(gradient.float())


def _follow(mean: Tensor, value: Tensor) -> None:
    mean.lerp_(value, 1.0 - DECAY)
