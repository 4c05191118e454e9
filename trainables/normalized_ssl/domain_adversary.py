"""Domain-adversarial training: a rival of feature normalization for the same mismatch.

Liao et al., "Noise adaptive speech enhancement using domain adversarial training", Interspeech 2019. A classifier
learns from a body's features whether a crop is noisy or clean, or which type of noise it holds; behind a gradient
reversal the body learns to hide it. Decided by us: one classifier for all bodies, at the site that `norm_layers`
would take, on the mean and deviation of every channel; a single optimizer with gradient reversal, where the paper's
code alternates two; clean crops scaled to the mixtures' level first, or level alone would give them away. Nothing of
it is deployed.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.networks.gradient_reversal import reverse_gradient

HIDDEN = 128
_GANIN = 10.0
_EPS = 1e-5  # of a variance: the deviation of a silent channel has a gradient, too


class DomainAdversary(nn.Module):
    """Mean and deviation over time -> linear, ReLU, linear: 33,025 parameters for 128 channels and two domains."""

    def __init__(self, channels: int, domains: int = 2):
        """`domains` is 2 for noisy or clean, else the number of noise types.

        Raises:
            ValueError: fewer than two domains, which nothing can tell apart.
        """
        super().__init__()
        if domains < 2:
            raise ValueError(f"domains={domains}: 2 or more")
        self.expand = nn.Linear(2 * channels, HIDDEN)
        self.output = nn.Linear(HIDDEN, 1 if domains == 2 else domains)

    def forward(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """(batch, channels, frames) -> (batch, 1 or domains) scores.

        `valid` (batch, 1, frames) is 0 in the padding, None where there is none.
        """
        return self.output(functional.relu(self.expand(item_statistics(features, valid))))

    def loss(self, features: Tensor, domain: Tensor, strength: float, valid: Tensor | None = None) -> Tensor:
        """Cross-entropy in nats, mean over the batch; the features' gradient is times `-strength`.

        `domain` (batch,) holds 1 for noisy and 0 for clean, or the number of the noise type.
        """
        return domain_loss(self(reverse_gradient(features, strength), valid), domain)


def domain_loss(scores: Tensor, domain: Tensor) -> Tensor:
    """Cross-entropy in nats of (batch, 1 or domains) scores, mean over the batch; blind guessing gives log(domains)."""
    if scores.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(scores[:, 0], domain.to(scores.dtype))
    return functional.cross_entropy(scores, domain)


def accuracy(scores: Tensor, domain: Tensor) -> float:
    """Share of (batch, 1 or domains) scores that name the right domain."""
    named = (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(dim=1)
    return float((named == domain).float().mean())


def item_statistics(features: Tensor, valid: Tensor | None = None) -> Tensor:
    """(batch, channels, frames) -> (batch, 2 x channels): each item's means, then its deviations, without padding."""
    wide = features if features.dtype == torch.float64 else features.float()
    weight = torch.ones_like(wide[:, :1]) if valid is None else valid.to(wide.dtype)
    count = weight.sum(dim=2)
    mean = (wide * weight).sum(dim=2) / count
    variance = ((wide - mean[..., None]) * weight).square().sum(dim=2) / count
    return torch.cat([mean, (variance + _EPS).sqrt()], dim=1)


def reversal_at(progress: float, largest: float, schedule: str, k_share: float = 1.0) -> float:
    """The strength of the reversal at `progress` (share of the budget).

    "constant" is `largest` throughout; "ganin" rises to it, largest x (2 / (1 + exp(-10 progress)) - 1); "as_k" falls
    as the normalization's strength would: `k_share` is k(t) / k0.
    """
    if schedule == "constant":
        return largest
    if schedule == "as_k":
        return largest * k_share
    return largest * (2.0 / (1.0 + math.exp(-_GANIN * progress)) - 1.0)
