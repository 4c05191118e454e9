"""Soft-DTW on a CPU: a forward-backward pass over path weights, compiled by Numba.

The weight of all paths to a cell, W = exp(-R / gamma), obeys W[i, j] = K[i, j] (W[i-1, j-1] + W[i-1, j] + W[i, j-1])
with K = exp(-c / gamma): one exponential a cell where the log domain takes three and a logarithm. Weights span more
than any float, so each is a float64 and a whole power of 2^512, which keeps every gamma exact, however small.

An item is one thread's from end to end, so bits do not depend on the number of threads, which is torch's.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainables.base.cache import cache_folder

_POWER = 2.0**512  # what one unit of an exponent stands for
_UPPER, _LOWER = 2.0**256, 2.0**-256  # of a weight's float
_LOG_POWER = 512 * math.log(2.0)
_NOTHING = -(2**30)  # the exponent of weight 0: below all others
_LEAST = -(2**28)  # a weight below is not counted but NaN; a cost of 9e10 gamma


def value(cost: Tensor, gamma: float, lengths: Tensor) -> Tensor:
    """(batch,) soft-DTW of costs (batch, m, n), infinite where a path must not pass; lengths (batch, 2)."""
    result: Tensor = _Recursion.apply(cost, gamma, lengths)
    return result


class _Recursion(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cost: Tensor, gamma: float, lengths: Tensor) -> Tensor:
        batch, rows, columns = cost.shape
        costs, sizes = cost.detach().numpy(), lengths.tolist()
        weights = np.empty((batch, rows + 1, columns + 1))
        exponents = np.empty(weights.shape, np.int32)
        values = np.empty(batch)

        def run(item: int) -> None:
            values[item] = _forward(costs[item], gamma, *sizes[item], weights[item], exponents[item])

        _for_each(run, range(batch))
        ctx.inputs = (costs, gamma, sizes, weights, exponents)
        return torch.from_numpy(values).to(cost.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        costs, gamma, sizes, weights, exponents = ctx.inputs
        gradients, upstream = np.zeros_like(costs), gradient.tolist()

        def run(item: int) -> None:
            arrays = (weights[item], exponents[item], gradients[item])
            _backward(costs[item], gamma, *sizes[item], *arrays, upstream[item])

        _for_each(run, [item for item, own in enumerate(upstream) if own])
        return torch.from_numpy(gradients), None, None


def _for_each(run: Callable[[int], None], items: Sequence[int]) -> None:
    def run_all(share: Sequence[int]) -> None:
        for item in share:
            run(item)

    threads = min(torch.get_num_threads(), len(items))
    if threads <= 1:
        return run_all(items)
    with ThreadPoolExecutor(threads - 1) as pool:  # the caller's thread takes its share, too
        others = [pool.submit(run_all, items[first::threads]) for first in range(1, threads)]
        run_all(items[::threads])
    for other in others:
        other.result()
    return None


def _compiled(function: Callable[..., Any]) -> Any:
    """Cached next to this file or in the home folder, else in our own cache; anew in each process where none can be
    written."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    config: Any = numba.config
    for folder in (None, cache_folder() / "numba"):
        before = config.CACHE_DIR
        try:
            config.CACHE_DIR = str(folder or before)
            return numba.njit(cache=True, **options)(function)
        except (RuntimeError, OSError):
            continue
        finally:
            config.CACHE_DIR = before
    return numba.njit(**options)(function)


@numba.njit(inline="always")
def _at(weight, own, power):  # type: ignore[no-untyped-def]
    """The weight in units of a power at least as high."""
    if own == power:
        return weight
    return weight / _POWER if own == power - 1 else 0.0


@numba.njit(inline="always")
def _sum(first, first_power, second, second_power, third, third_power):  # type: ignore[no-untyped-def]
    """Of three weights; one that is two powers below the largest is less than its last bit."""
    if first_power == second_power and second_power == third_power:
        return first + second + third, first_power
    power = max(first_power, second_power, third_power)
    total = _at(first, first_power, power) + _at(second, second_power, power) + _at(third, third_power, power)
    return total, power


@numba.njit(inline="always")
def _times(weight, power, exponent):  # type: ignore[no-untyped-def]
    """weight * exp(-exponent), its float back within its bounds."""
    if weight == 0.0 or exponent == np.inf:
        return 0.0, _NOTHING
    if abs(exponent) > _LOG_POWER:
        whole = math.floor(exponent / _LOG_POWER)
        if not _LEAST < power - whole < -_LEAST:
            return np.nan, 0
        power -= int(whole)
        exponent -= whole * _LOG_POWER
    weight *= math.exp(-exponent)
    if weight < _LOWER:
        return weight * _POWER, power - 1
    if weight > _UPPER:
        return weight / _POWER, power + 1
    return weight, power


@_compiled
def _forward(cost, gamma, rows, columns, weights, exponents):  # type: ignore[no-untyped-def]
    """R[rows, columns] of costs (m, n); fills weights and exponents, (m + 1, n + 1) with a border."""
    weights[0, : columns + 1], exponents[0, : columns + 1] = 0.0, _NOTHING
    weights[: rows + 1, 0], exponents[: rows + 1, 0] = 0.0, _NOTHING
    weights[0, 0], exponents[0, 0] = 1.0, 0
    for i in range(1, rows + 1):
        left, left_power = 0.0, _NOTHING
        across, across_power = weights[i - 1, 0], exponents[i - 1, 0]
        for j in range(1, columns + 1):
            up, up_power = weights[i - 1, j], exponents[i - 1, j]
            total, power = _sum(across, across_power, up, up_power, left, left_power)
            left, left_power = _times(total, power, cost[i - 1, j - 1] / gamma)
            weights[i, j], exponents[i, j] = left, left_power
            across, across_power = up, up_power
    if left == 0.0:
        return np.inf
    return -gamma * (math.log(left) + left_power * _LOG_POWER)


@_compiled
def _backward(cost, gamma, rows, columns, weights, exponents, gradients, upstream):  # type: ignore[no-untyped-def]
    """Fills gradients (m, n) with upstream times the probability that a path passes.

    The weight of all paths from a cell to the end, its own cost included, is kept for one row only.
    """
    if weights[rows, columns] == 0.0:
        return
    rest = np.zeros(columns + 2)
    powers = np.full(columns + 2, _NOTHING, np.int32)
    for i in range(rows, 0, -1):
        right, right_power = 0.0, _NOTHING
        across, across_power = 0.0, _NOTHING
        for j in range(columns, 0, -1):
            below, below_power = rest[j], powers[j]
            if i == rows and j == columns:  # so that the probability of the last cell is 1
                total, power = 1.0 / weights[i, j], -exponents[i, j]
            else:
                total, power = _sum(across, across_power, below, below_power, right, right_power)
            product, scale = weights[i, j] * total, exponents[i, j] + power
            if scale == 0:
                gradients[i - 1, j - 1] = upstream * product
            elif scale == -1:
                gradients[i - 1, j - 1] = upstream * (product / _POWER)
            elif scale == 1:
                gradients[i - 1, j - 1] = upstream * (product * _POWER)
            right, right_power = _times(total, power, cost[i - 1, j - 1] / gamma)
            rest[j], powers[j] = right, right_power
            across, across_power = below, below_power
