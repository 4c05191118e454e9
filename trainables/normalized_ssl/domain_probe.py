"""How much of the domains a fresh classifier still finds in features: the measure of a domain adversary.

An adversary whose loss is that of guessing may have hidden the domains, or may be too weak to find them. A probe that
was no part of the game tells the two apart: ridge regression on each crop's means and deviations, standardised, fitted
in closed form on one half of some training crops and scored on the other.
"""

import torch
from torch import Tensor
from torch.nn import functional

CROPS = 48  # training mixtures, half of them to fit
_RIDGE = 0.1  # of the mean squared norm of a crop's standardised statistics
_EPS = 1e-6


def probe_accuracy(statistics: Tensor, domain: Tensor, crops: Tensor) -> float:
    """Share of the odd crops' domains that ridge regression on the even ones names.

    Args:
        statistics: (items, values), as `item_statistics` gives them.
        domain: (items,) whole numbers.
        crops: (items,) the crop of each item; those of one crop are on the same side.
    """
    values, domain, fitted = statistics.double().cpu(), domain.long().cpu(), crops.cpu() % 2 == 0
    center, spread = values[fitted].mean(0), values[fitted].std(0, correction=0) + _EPS
    values = (values - center) / spread
    wanted = functional.one_hot(domain, int(domain.max()) + 1).double()
    average = wanted[fitted].mean(0)
    # In the dual: there are fewer crops than statistics.
    gram = values[fitted] @ values[fitted].T
    ridge = _RIDGE * gram.diagonal().mean().clamp(min=_EPS) * torch.eye(len(gram), dtype=gram.dtype)
    weights = torch.linalg.solve(gram + ridge, wanted[fitted] - average)
    named = (values[~fitted] @ values[fitted].T @ weights + average).argmax(1)
    return float((named == domain[~fitted]).double().mean())
