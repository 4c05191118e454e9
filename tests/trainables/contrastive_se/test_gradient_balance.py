"""The adaptive weight keeps two gradients at a ratio of norms."""

import pytest
import torch

from trainables.contrastive_se.gradient_balance import LARGEST, balanced_weight


def losses(scale: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    shared = torch.ones(3, requires_grad=True)
    return (2.0 * shared).sum(), scale * shared.sum(), shared


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_the_weighted_gradients_have_the_asked_ratio(ratio: float, scale: float) -> None:
    enhancement, contrastive, shared = losses(scale)
    weight = balanced_weight(enhancement, contrastive, shared, ratio)
    (theirs,) = torch.autograd.grad(enhancement, shared)
    (ours,) = torch.autograd.grad(weight * contrastive, shared)
    assert float(ours.norm() / theirs.norm()) == pytest.approx(ratio, rel=1e-5)


def test_a_vanished_contrastive_gradient_does_not_explode_the_weight() -> None:
    assert float(balanced_weight(*losses(0.0), 1.0)) == LARGEST


def test_the_weight_carries_no_gradient() -> None:
    assert not balanced_weight(*losses(1.0), 1.0).requires_grad
