"""Probabilistic PIT: a soft minimum over all assignments in place of the best one.

Yousefi, Khorram, Hansen, "Probabilistic permutation invariant training for speech separation", Interspeech 2019: the
assignment is a latent variable with a uniform prior, and its likelihood a Gaussian of the error. Here the error is the
negative mean SI-SDR, which is that model with gain and variance of every source unknown, tempered: L(pi) for the
assignment pi of S sources,

    loss = -T log( mean over pi of exp(-L(pi) / T) ),  T in dB

The paper's sum over pi differs from this mean by the constant T log S!, so T -> 0 is PIT and T -> infinity the mean of
all assignments. The gradient is the mean of theirs, weighted by softmax(-L / T).

A temperature well above the outputs' own margin (`permutation.margin`) holds both outputs near the mixture: with two
sources the weights differ by tanh(margin / 2T).
"""

import math

import torch
from torch import Tensor

from trainables.losses.permutation import every_score


def soft_pit_loss(pairwise: Tensor, temperature: float) -> Tensor:
    """The loss above in dB, mean over the batch.

    Args:
        pairwise: (batch, sources, sources) SI-SDR in dB, of `pairwise_si_sdr`; at most 5 sources.
        temperature: T in dB, above 0; for T = 0 there is `pit_loss`.

    Raises:
        ValueError: the temperature is not a finite number above 0.
    """
    _require(temperature)
    losses = -every_score(pairwise).double()
    best = losses.detach().amin(dim=1, keepdim=True)  # any constant gives the same loss and gradient
    # log of a mean of exponentials, exact at both ends: near 0 they vanish, near infinity all are almost 1.
    spread = torch.expm1((best - losses) / temperature).mean(dim=1)
    return (best[:, 0] - temperature * torch.log1p(spread)).mean().to(pairwise.dtype)


def assignment_weights(pairwise: Tensor, temperature: float) -> Tensor:
    """(batch, sources!): each assignment's share of the gradient, in the order of `permutation.all_orders`."""
    _require(temperature)
    return torch.softmax(every_score(pairwise) / temperature, dim=1)


def undecided(weights: Tensor) -> Tensor:
    """(batch,) entropy of assignment weights as a share of the largest, log S!: 0 is PIT, 1 the mean of all."""
    orders = weights.shape[1]
    if orders == 1:
        return weights.new_zeros(len(weights))
    return torch.special.entr(weights).sum(dim=1) / math.log(orders)


def temperature_at(progress: float, start: float, end: float | None, share: float) -> float | None:
    """T in dB at `progress` (share of the budget); None = hard PIT from there on.

    Without an `end` it stays at `start`. Otherwise it falls geometrically, to reach `end` at `share` of the budget.
    """
    if end is None:
        return start
    return start * (end / start) ** (progress / share) if progress < share else None


def _require(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0.0):
        raise ValueError(f"temperature={temperature}: a finite number of dB above 0; PIT itself needs none")
