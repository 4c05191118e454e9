"""Muon: matrices step along their orthogonalised momentum, everything else by Adam.

Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/, with the scale of Liu et al., 2025 (arXiv:2502.16982),
which gives a matrix's step the size that Adam's would have, so that one learning rate serves both. Their five equal
Newton-Schulz iterations, a quarter of a tiny model's step, are three with coefficients of their own, chosen as Amsel et
al., 2025, do ("The Polar Express", arXiv:2505.16932). PyTorch has a Muon of its own, for parameters of two dimensions
alone; here a convolution counts as the matrix of its first axis against all others: outputs against the taps of all
inputs or, where it is transposed, inputs against the taps of all outputs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Of x, x^3 and x^5 in each iteration: the odd quintic that is nearest to 1 (minimax) on the interval which holds all
# singular values by then, at first [SMALLEST, 1], at last 1 +- 0.436.
SMALLEST = 6e-3
COEFFICIENTS = (
    (8.256837, -24.265275, 17.958903),
    (3.854961, -2.878411, 0.554357),
    (3.042503, -2.279525, 0.486446),
)
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
            trained = [parameter for parameter in group["params"] if parameter.grad is not None]
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in filter(is_matrix, trained):
                by_shape.setdefault(parameter.shape, []).append(parameter)
            for matrices in by_shape.values():
                self._step_matrices(matrices, group)
            self._step_adam([parameter for parameter in trained if not is_matrix(parameter)], group)
        return loss

    def _step_matrices(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """All of one shape."""
        ahead = []
        for parameter, gradient in zip(parameters, _gradients(parameters), strict=True):
            state = self.state[parameter]
            if not state:
                state["average"] = torch.zeros_like(parameter)
            average = state["average"].lerp_(gradient, 1 - group["momentum"])
            ahead.append(gradient.lerp(average, group["momentum"]).flatten(1))
        size = _ADAM_STEP * max(ahead[0].shape) ** 0.5
        for parameter, direction in zip(parameters, orthogonalised(torch.stack(ahead)), strict=True):
            parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * size)

    def _step_adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if not parameters:
            return
        gradients, states = _gradients(parameters), [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state.update(steps=0, average=torch.zeros_like(parameter), power=torch.zeros_like(parameter))
            state["steps"] += 1
        first, second = group["betas"]
        averages, powers = [state["average"] for state in states], [state["power"] for state in states]
        torch._foreach_lerp_(averages, gradients, 1 - first)
        torch._foreach_mul_(powers, second)
        torch._foreach_addcmul_(powers, gradients, gradients, value=1 - second)
        spreads = torch._foreach_div(powers, [1 - second ** state["steps"] for state in states])
        torch._foreach_sqrt_(spreads)
        torch._foreach_add_(spreads, group["eps"])
        rates = [-group["lr"] / (1 - first ** state["steps"]) for state in states]
        torch._foreach_addcdiv_(parameters, averages, spreads, rates)


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def is_matrix(parameter: Tensor) -> bool:
    """Whether there are several rows and several columns, all axes but the first taken as one."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) > 1


def orthogonalised(matrices: Tensor) -> Tensor:
    """(..., rows, columns) -> the same shape, all singular values brought near 1 by Newton-Schulz iterations.

    Those below `SMALLEST` of the Frobenius norm grow about 97-fold. Each matrix gets the bits that it has alone.
    """
    wide = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT
    stacked = wide.flatten(0, -3) if wide.ndim > 2 else wide[None]
    x = stacked / torch.stack([each.norm() for each in stacked]).clamp(min=_EPS)[:, None, None]
    for first, third, fifth in COEFFICIENTS:
        gram = x @ x.mT
        x = first * x + torch.baddbmm(gram, gram, gram, beta=third, alpha=fifth) @ x
    x = x.view(wide.shape)
    return x if wide is matrices else x.mT
