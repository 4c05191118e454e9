"""Muon against PyTorch's own where that reaches, against Adam where it is Adam, and against what the paper says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainables.training import muon
from trainables.training.muon import COEFFICIENTS, SMALLEST, Muon, is_matrix, orthogonalised


def _gradients(shape: tuple[int, ...], steps: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(shape, generator=generator) for _ in range(steps)]


def _run(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, gradients: list[torch.Tensor]) -> None:
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def test_matrices_step_as_by_pytorchs_muon(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With its iterations, five of Jordan's."""
    monkeypatch.setattr(muon, "COEFFICIENTS", ((3.4445, -4.7750, 2.0315),) * 5)
    ours, theirs = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))
    gradients = _gradients(shape, 20)
    _run(Muon([{"params": [ours], "lr": 0.01}]), ours, gradients)
    reference = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    _run(reference, theirs, gradients)
    difference = (ours - theirs).detach().norm() / theirs.detach().norm()
    assert difference < 0.02  # PyTorch's iterates in bfloat16


@pytest.mark.parametrize("shape", [(12,), (1, 9, 1), (6, 1, 1), ()])
def test_what_is_no_matrix_steps_as_by_adam(shape: tuple[int, ...]) -> None:
    ours, theirs = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.ones(shape))
    gradients = _gradients(shape, 20)
    _run(Muon([{"params": [ours], "lr": 0.01}]), ours, gradients)
    _run(torch.optim.Adam([theirs], lr=0.01), theirs, gradients)
    torch.testing.assert_close(ours, theirs)


def test_a_convolution_is_the_matrix_of_its_first_axis_against_all_others() -> None:
    convolution, matrix = nn.Parameter(torch.zeros(6, 4, 3)), nn.Parameter(torch.zeros(6, 12))
    gradients = _gradients((6, 4, 3), 5)
    _run(Muon([{"params": [convolution], "lr": 0.01}]), convolution, gradients)
    _run(Muon([{"params": [matrix], "lr": 0.01}]), matrix, [gradient.flatten(1) for gradient in gradients])
    assert torch.equal(convolution.flatten(1), matrix)
    assert is_matrix(convolution)


@settings(deadline=None)
@given(
    rows=st.integers(2, 40),
    columns=st.integers(2, 40),
    seed=st.integers(0, 2**31),
    scale=st.floats(1e-4, 1e4),
)
def test_directions_stay_and_their_sizes_become_alike(rows: int, columns: int, seed: int, scale: float) -> None:
    matrix = scale * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonalised(matrix) @ right.T
    share = sizes / sizes.norm()
    grown = torch.diag(found)
    felt = share > SMALLEST
    assert (found - torch.diag(grown)).abs().max() < 1e-3
    assert ((grown[felt] > 0.56) & (grown[felt] < 1.44)).all()
    torch.testing.assert_close(grown, _grown(share.double()).float(), atol=1e-3, rtol=1e-3)


def test_each_iteration_is_the_best_quintic_on_the_interval_that_the_last_one_leaves() -> None:
    """Chebyshev: an odd quintic is nearest to 1 where its error takes its maximum four times with changing sign."""
    low, high = SMALLEST, 1.0
    for coefficients in COEFFICIENTS:
        x = torch.linspace(low, high, 400_001, dtype=torch.float64)
        error = 1 - _quintic(x, coefficients)
        widest = error.abs().max()
        inner = 1 + torch.nonzero((error[1:-1] - error[:-2]) * (error[2:] - error[1:-1]) < 0).flatten()
        extremes = error[torch.tensor([0, *inner.tolist(), len(error) - 1])]
        torch.testing.assert_close(extremes, widest * torch.tensor([1.0, -1, 1, -1]).double(), atol=1e-3, rtol=0)
        low, high = 1 - float(widest), 1 + float(widest)


def _grown(sizes: torch.Tensor) -> torch.Tensor:
    for coefficients in COEFFICIENTS:
        sizes = _quintic(sizes, coefficients)
    return sizes


def _quintic(x: torch.Tensor, coefficients: tuple[float, float, float]) -> torch.Tensor:
    first, third, fifth = coefficients
    return first * x + third * x**3 + fifth * x**5


def test_a_gradient_of_zero_moves_nothing() -> None:
    parameter = nn.Parameter(torch.ones(4, 4))
    _run(Muon([{"params": [parameter], "lr": 0.1}]), parameter, [torch.zeros(4, 4)])
    assert torch.equal(parameter, torch.ones(4, 4))


def test_a_step_has_the_size_of_one_of_adam() -> None:
    parameter = nn.Parameter(torch.zeros(64, 128))
    _run(Muon([{"params": [parameter], "lr": 0.01}]), parameter, _gradients((64, 128), 1))
    assert parameter.detach().square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_going_on_from_its_state_gives_the_same_bits() -> None:
    gradients = [_gradients((6, 5), 8), _gradients((5,), 8)]
    unbroken, broken = _Pair(), _Pair()
    unbroken.run(gradients, 0, 8)
    broken.run(gradients, 0, 4)
    resumed = _Pair()
    resumed.load(broken)
    resumed.run(gradients, 4, 8)
    assert torch.equal(resumed.matrix, unbroken.matrix)
    assert torch.equal(resumed.vector, unbroken.vector)


def test_a_closure_is_evaluated_with_gradients() -> None:
    parameter = nn.Parameter(torch.ones(3))
    optimizer = Muon([{"params": [parameter], "lr": 0.1}])

    def loss() -> float:
        optimizer.zero_grad()
        value = parameter.square().sum()
        value.backward()
        return value.item()

    assert optimizer.step(loss) == 3.0
    assert (parameter < 1).all()


class _Pair:
    """A matrix and a vector with their optimizer."""

    def __init__(self) -> None:
        self.matrix, self.vector = nn.Parameter(torch.ones(6, 5)), nn.Parameter(torch.ones(5))
        self.optimizer = Muon([{"params": [self.matrix, self.vector], "lr": 0.01}])

    def run(self, gradients: list[list[torch.Tensor]], first: int, last: int) -> None:
        for step in range(first, last):
            self.matrix.grad, self.vector.grad = (each[step].clone() for each in gradients)
            self.optimizer.step()

    def load(self, other: "_Pair") -> None:
        with torch.no_grad():
            self.matrix.copy_(other.matrix)
            self.vector.copy_(other.vector)
        self.optimizer.load_state_dict(other.optimizer.state_dict())
