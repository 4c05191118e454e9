"""Soft-DTW of two sequences, and the divergence made of it.

Cuturi and Blondel, "Soft-DTW: a differentiable loss function for time-series", ICML 2017:

    R[i, j] = c[i, j] + softmin(R[i-1, j-1], R[i-1, j], R[i, j-1]),   softmin(a) = -gamma log sum exp(-a / gamma)

dR[m, n] / dc[i, j] is the probability that a path drawn with weight exp(-cost / gamma) passes (i, j): a
forward-backward pass. On a CPU it runs compiled (soft_dtw_paths.py), elsewhere over anti-diagonals of the whole batch
(soft_dtw_diagonals.py). Both count in float64 and take any length.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trainables.base.errors import UserError
from trainables.losses.soft_dtw_band import ROUNDING, require_band

_PAIRS = ((0, 1), (0, 0), (1, 1))  # of the divergence


def soft_dtw(cost: Tensor, gamma: float, lengths: Tensor | None = None, band: float | None = None) -> Tensor:
    """R[m, n] of each item; negative where many paths are nearly as cheap as the best.

    Args:
        cost: (batch, m, n), float32 or float64 (halves are counted as float32); infinite where no path may pass.
        gamma: the softness, in the unit of the cost, over 0.
        lengths: (batch, 2) whole numbers, rows and columns of each padded item; None = all. What lies beyond is
            never read, and has gradient 0.
        band: half the width of a band around each item's own diagonal, as a share of its length
            (soft_dtw_band.py); None = no band.

    Returns:
        (batch,) in the cost's type; infinite where the costs leave no path, NaN where one of them is NaN.

    Raises:
        UserError: gamma is not over 0, lengths do not fit, or the band cuts off every path of an item.
    """
    if not gamma > 0:
        raise UserError(f"gamma={gamma}: must be over 0, the softness of the minimum")
    if cost.dtype in (torch.float16, torch.bfloat16):
        cost = cost.float()
    sizes = _checked_lengths(cost, lengths)
    if band is not None:
        for rows, columns in {(rows, columns) for rows, columns in sizes.tolist()}:
            require_band(band, rows, columns)
        cost = cost.masked_fill(_outside(cost, sizes.to(cost.device), band), torch.inf)
    if cost.device.type == "cpu":
        from trainables.losses import soft_dtw_paths  # Numba takes half a second

        return soft_dtw_paths.value(cost, gamma, sizes)
    from trainables.losses import soft_dtw_diagonals

    return soft_dtw_diagonals.value(cost, gamma, sizes)


def soft_dtw_divergence(
    first: Tensor,
    second: Tensor,
    gamma: float,
    lengths: tuple[Tensor, Tensor] | None = None,
    band: float | None = None,
    by_length: bool = False,
) -> Tensor:
    """D(x, y) - (D(x, x) + D(y, y)) / 2 with squared Euclidean costs; 0 where x = y.

    Blondel, Mensch and Vert, "Differentiable divergences between time series", AISTATS 2021. The three recursions run
    as one batch; D(y, y) has no backward pass where y needs no gradient.

    Args:
        first: x, (batch, m, channels).
        second: y, (batch, n, channels).
        gamma: as for `soft_dtw`.
        lengths: (batch,) frames of x and (batch,) of y; None = all.
        band: as for `soft_dtw`.
        by_length: divide by m + n, each item by its own.

    Returns:
        (batch,)

    Raises:
        UserError: as `soft_dtw`.
    """
    sequences = (first, second)
    if lengths is None:
        lengths = (torch.full((len(first),), first.shape[1]), torch.full((len(first),), second.shape[1]))
    size = max(first.shape[1], second.shape[1])
    costs = []
    for row, column in _PAIRS:
        missing = (0, size - sequences[column].shape[1], 0, size - sequences[row].shape[1])
        costs.append(functional.pad(squared_distances(sequences[row], sequences[column]), missing))
    both = torch.cat([torch.stack([lengths[row], lengths[column]], dim=1) for row, column in _PAIRS])
    across, of_first, of_second = soft_dtw(torch.cat(costs), gamma, both, band).chunk(len(_PAIRS))
    if not second.requires_grad:
        of_second = of_second.detach()
    divergence = across - (of_first + of_second) / 2
    return divergence / (lengths[0] + lengths[1]).to(divergence) if by_length else divergence


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """(batch, m, channels) and (batch, n, channels) -> ||x_i - y_j||^2, (batch, m, n), by one matrix product.

    For sequences of unit vectors these are 2 - 2 cos. Rounding may leave values a little under 0. In the precision of
    the sequences, whatever autocast says: of halves a small distance would be the rounding of two large norms.
    """
    with torch.autocast(first.device.type, enabled=False):
        norms = first.square().sum(-1)[:, :, None] + second.square().sum(-1)[:, None, :]
        return torch.baddbmm(norms, first, second.transpose(1, 2), alpha=-2)


def _checked_lengths(cost: Tensor, lengths: Tensor | None) -> Tensor:
    """(batch, 2) on the CPU."""
    most = torch.tensor(cost.shape[1:])
    if lengths is None:
        return most.expand(len(cost), 2)
    sizes = lengths.detach().to("cpu", torch.int64)
    if sizes.shape != (len(cost), 2) or not ((sizes >= 1) & (sizes <= most)).all():
        raise UserError(f"lengths of {len(cost)} items must lie within 1 and {tuple(most.tolist())}: {sizes.tolist()}")
    return sizes


def _outside(cost: Tensor, sizes: Tensor, band: float) -> Tensor:
    """(batch, m, n), true beyond the band."""
    rows, columns = sizes[:, :1], sizes[:, 1:]
    across = torch.arange(1, cost.shape[1] + 1, device=cost.device) * columns  # i n
    along = torch.arange(1, cost.shape[2] + 1, device=cost.device) * rows  # j m
    half = (rows * columns).float() * band + ROUNDING
    return (across[:, :, None] - along[:, None, :]).abs() > half[:, :, None]
