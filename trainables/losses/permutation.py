"""Permutation-invariant training (PIT) from the matrix of pairwise SI-SDR.

Kolbæk et al., "Multitalker speech separation with utterance-level permutation invariant training of deep
recurrent neural networks", TASLP 2017. Every estimate is compared with every reference once, from inner
products alone; the best assignment is then found in the small matrix: in closed form for two sources, by
the Hungarian algorithm beyond.
"""

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from trainables.base.padding import valid_mask
from trainables.losses.si_sdr import EPS, decibels


@dataclass(frozen=True)
class Assignment:
    """Which output is assigned to which reference, one row per item.

    Attributes:
        score: (batch,) mean over sources of the chosen pairs' SI-SDR in dB.
        order: (batch, sources), order[b, r] = the output that was given reference r.
    """

    score: Tensor
    order: Tensor


def pairwise_si_sdr(estimates: Tensor, references: Tensor, lengths: Tensor | None = None) -> Tensor:
    """SI-SDR in dB of every estimate against every reference, all made zero-mean.

    With c = <e, r>^2 / ||r||^2, the energy of e's projection on r,  SI-SDR = 10 log10(c / (||e||^2 - c)).
    The difference cancels for good estimates, so everything is float64, whatever autocast says. The guards against
    division by zero are those of `trainables.losses.si_sdr`.

    Args:
        estimates: (batch, outputs, samples).
        references: (batch, sources, samples).
        lengths: (batch,) valid samples of each item; None = all.

    Returns:
        (batch, sources, outputs) in dB, float32.
    """
    with torch.autocast(estimates.device.type, enabled=False):
        valid = valid_mask(references[:, 0].double(), lengths)[:, None]
        estimates, references = _centred(estimates, valid), _centred(references, valid)
        products = references @ estimates.transpose(1, 2)
        reference_energy = references.square().sum(-1)[:, :, None]
        estimate_energy = estimates.square().sum(-1)[:, None, :]
        gain = products / (reference_energy + EPS)
        projected = gain.square() * reference_energy
        distortion = (estimate_energy - 2 * gain * products + projected).clamp_min(0.0)
        return decibels(projected, distortion).float()


def best_assignment(pairwise: Tensor) -> Assignment:
    """The one-to-one assignment with the highest mean score; ties go to the identity.

    Args:
        pairwise: (batch, sources, sources) in dB; differentiable.
    """
    return assigned(pairwise, _two_sources(pairwise) if pairwise.shape[1] == 2 else _hungarian(pairwise))


def assigned(pairwise: Tensor, order: Tensor) -> Assignment:
    """The assignment of the given orders, (batch, sources), whether or not it is the best."""
    chosen = pairwise.gather(2, order[:, :, None])[:, :, 0]
    return Assignment(score=chosen.mean(1), order=order)


def all_orders(sources: int) -> Tensor:
    """(sources!, sources): every one-to-one order, lexicographic; an order's number is its row here."""
    return _orders(sources).clone()


def every_score(pairwise: Tensor) -> Tensor:
    """(batch, sources!) in dB: the mean score under each of `all_orders`; differentiable."""
    sources = pairwise.shape[1]
    orders = _orders(sources).to(pairwise.device)
    return pairwise[:, torch.arange(sources, device=pairwise.device), orders].mean(2)


def pit_loss(estimates: Tensor, references: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(negative mean SI-SDR under each item's best assignment, the orders).

    Arguments as in `pairwise_si_sdr`. With one source it is plain negative SI-SDR.
    """
    assignment = best_assignment(pairwise_si_sdr(estimates, references, lengths))
    return -assignment.score.mean(), assignment.order


def margin(pairwise: Tensor) -> Tensor:
    """(batch,) in dB: by how much the best assignment beats the second best; 0 with a single source."""
    if pairwise.shape[1] == 1:
        return pairwise.new_zeros(len(pairwise))
    best = every_score(pairwise).topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


@cache
def _orders(sources: int) -> Tensor:
    return torch.tensor(list(permutations(range(sources))))


def _two_sources(pairwise: Tensor) -> Tensor:
    straight = pairwise[:, 0, 0] + pairwise[:, 1, 1]
    crossed = pairwise[:, 0, 1] + pairwise[:, 1, 0]
    swapped = (crossed > straight).long()
    return torch.stack([swapped, 1 - swapped], dim=1)


def _hungarian(pairwise: Tensor) -> Tensor:
    scores = np.nan_to_num(pairwise.detach().cpu().double().numpy(), nan=-1e9)
    orders = [linear_sum_assignment(item, maximize=True)[1] for item in scores]
    return torch.from_numpy(np.array(orders)).to(pairwise.device)


def _centred(signals: Tensor, valid: Tensor) -> Tensor:
    """Zero-mean over valid samples, float64; padding becomes zero."""
    signals = signals.double() * valid
    mean = signals.sum(-1, keepdim=True) / valid.sum(-1, keepdim=True).clamp_min(1)
    return (signals - mean) * valid
