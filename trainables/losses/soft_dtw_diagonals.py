"""Soft-DTW over anti-diagonals, whose cells do not depend on each other: a few tensor operations each, on any device.

Weights are logarithms, L = -R / gamma, in float64 where the device has it: at 1500 frames they reach tens of
thousands, of which float32 keeps two decimals. A tensor is stored by (diagonal, row, batch), so that the cells that a
diagonal has are contiguous; those it has not are never read.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_NEVER = float("-inf")  # log weight of no path


def value(cost: Tensor, gamma: float, lengths: Tensor) -> Tensor:
    """(batch,) soft-DTW of costs (batch, m, n), infinite where a path must not pass; lengths (batch, 2)."""
    result: Tensor = _Recursion.apply(cost, gamma, lengths.to(cost.device))
    return result


class _Recursion(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cost: Tensor, gamma: float, lengths: Tensor) -> Tensor:
        batch, rows, columns = cost.shape
        precision = cost.dtype if cost.device.type == "mps" else torch.float64
        steps = cost.new_zeros(rows + columns - 1, rows, batch, dtype=precision)  # cost / gamma
        _by_cell(steps, columns).copy_(cost).div_(gamma)
        sums = torch.zeros_like(steps)  # log weight of all paths to a cell, its own cost not yet paid
        older, newer, current = steps.new_full((3, rows + 1, batch), _NEVER).unbind(0)  # a border row before the first
        older[0] = 0.0
        for diagonal in range(len(steps)):
            first, last = _rows_of(diagonal, rows, columns)
            total = sums[diagonal, first:last]
            torch.logaddexp(older[first:last], newer[first:last], out=total)
            torch.logaddexp(total, newer[first + 1 : last + 1], out=total)
            current.fill_(_NEVER)
            torch.sub(total, steps[diagonal, first:last], out=current[first + 1 : last + 1])
            older, newer, current = newer, current, older
        last_cells = (lengths.sum(dim=1) - 2, lengths[:, 0] - 1, torch.arange(batch, device=cost.device))
        ctx.save_for_backward(steps, sums, *last_cells)
        ctx.columns, ctx.dtype = columns, cost.dtype
        return (-gamma * (sums[last_cells] - steps[last_cells])).to(cost.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """E[i, j] = sum over the successors s of E[s] exp(L[i, j] - sums[s])."""
        steps, sums, *last_cells = ctx.saved_tensors
        columns = ctx.columns
        rows = steps.shape[1]
        logs = sums - steps
        right = _share(logs[:-1], sums[1:])
        down = _share(logs[:-1, :-1], sums[1:, 1:])
        across = _share(logs[:-2, :-1], sums[2:, 1:])
        passed = torch.zeros_like(steps)
        reached = torch.isfinite(logs[tuple(last_cells)]).to(steps.dtype)
        passed[tuple(last_cells)] = reached
        for diagonal in range(len(steps) - 2, -1, -1):
            first, last = _rows_of(diagonal, rows, columns)
            here, following = passed[diagonal], passed[diagonal + 1]
            start, stop = max(first, diagonal - columns + 2), last  # rows that have a right neighbour
            here[start:stop].addcmul_(following[start:stop], right[diagonal, start:stop])
            below = min(last, rows - 1)
            here[first:below].addcmul_(following[first + 1 : below + 1], down[diagonal, first:below])
            if diagonal + 2 < len(steps):
                following = passed[diagonal + 2]
                here[start:below].addcmul_(following[start + 1 : below + 1], across[diagonal, start:below])
        return _by_cell(passed, columns).to(ctx.dtype) * gradient[:, None, None], None, None


def _rows_of(diagonal: int, rows: int, columns: int) -> tuple[int, int]:
    """First row of an anti-diagonal, and the one after its last."""
    return max(0, diagonal - columns + 1), min(rows, diagonal + 1)


def _by_cell(stored: Tensor, columns: int) -> Tensor:
    """The view (batch, row, column) of what is stored by (row + column, row, batch)."""
    _, rows, batch = stored.shape
    return stored.as_strided((batch, rows, columns), (1, rows * batch + batch, rows * batch))


def _share(log_weight: Tensor, log_sum: Tensor) -> Tensor:
    """0 where no path passes."""
    return torch.exp(log_weight - log_sum).nan_to_num(0.0)
