"""Muon: matrices step along their orthogonalised momentum, everything else by Adam.

Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/, with the scale of Liu et al., 2025 (arXiv:2502.16982),
which gives a matrix's step the size that Adam's would have, so that one learning rate serves both. PyTorch has a Muon
of its own, for parameters of two dimensions alone; here a convolution counts as the matrix of its first axis against
all others: outputs against the taps of all inputs or, where it is transposed, inputs against the taps of all outputs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic; they push all singular values to about 1
_ITERATIONS = 5
_ADAM_STEP = 0.2  # root mean square of a usual step of Adam, in learning rates
_EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """Over parameter groups with "params" and "lr".

    Args:
        groups: as any optimizer of PyTorch takes them.
        momentum: of the matrices' gradients, Nesterov's.
        betas, eps: Adam's, for parameters that are not matrices: biases, gains, and what has a single row or column.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, {"lr": 1e-3, "momentum": momentum, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; where there is a closure, on the gradients it leaves, and return what it returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if is_matrix(parameter):
                    self._step_matrix(parameter, group)
                else:
                    self._step_adam(parameter, group)
        return loss

    def _step_matrix(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["average"] = torch.zeros_like(parameter)
        average = state["average"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(average, group["momentum"]).flatten(1)
        size = _ADAM_STEP * max(ahead.shape) ** 0.5
        parameter.add_(orthogonalised(ahead).view_as(parameter), alpha=-group["lr"] * size)

    def _step_adam(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state.update(steps=0, average=torch.zeros_like(parameter), power=torch.zeros_like(parameter))
        first, second = group["betas"]
        state["steps"] += 1
        average = state["average"].lerp_(gradient, 1 - first)
        power = state["power"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = (power / (1 - second ** state["steps"])).sqrt_().add_(group["eps"])
        parameter.addcdiv_(average, spread, value=-group["lr"] / (1 - first ** state["steps"]))


def is_matrix(parameter: Tensor) -> bool:
    """Whether there are several rows and several columns, all axes but the first taken as one."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) > 1


def orthogonalised(matrix: Tensor) -> Tensor:
    """(rows, columns) -> the same shape, its singular values all brought near 1 by Newton-Schulz iterations."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    first, third, fifth = _COEFFICIENTS
    x = wide / wide.norm().clamp(min=_EPS)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = first * x + torch.addmm(gram, gram, gram, beta=third, alpha=fifth) @ x
    return x if wide is matrix else x.T
