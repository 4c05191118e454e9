"""The adaptive weight keeps two gradients at a ratio of norms, after EnCodec's balancer."""

import pytest
import torch

from trainables.contrastive_se.gradient_balance import DECAY, LARGEST, GradientBalance


def losses(scale):
    shared = torch.ones(3, requires_grad=True)
    return (2.0 * shared).sum(), scale * shared.sum(), shared


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_the_weighted_gradients_have_the_asked_ratio(ratio, scale):
    enhancement, contrastive, shared = losses(scale)
    weight = GradientBalance(ratio).weight(enhancement, contrastive, shared)
    (theirs,) = torch.autograd.grad(enhancement, shared)
    (ours,) = torch.autograd.grad(weight * contrastive, shared)
    if float(weight) < LARGEST:
        assert float(ours.norm() / theirs.norm()) == pytest.approx(ratio, rel=1e-5)


def test_it_follows_running_means():
    balance = GradientBalance(1.0)
    norms = []
    for scale in (1.0, 4.0):
        enhancement, contrastive, shared = losses(scale)
        weight = balance.weight(enhancement, contrastive, shared)
        norms.append(scale)
    mean = DECAY * norms[0] + norms[1]
    assert float(weight) == pytest.approx(2.0 * (1 + DECAY) / mean, rel=1e-5)


def test_a_vanished_gradient_does_not_explode_the_weight():
    enhancement, contrastive, shared = losses(0.0)
    assert float(GradientBalance(1.0).weight(enhancement, contrastive, shared)) == LARGEST


def test_the_weight_carries_no_gradient_and_the_means_are_state():
    balance = GradientBalance(1.0)
    assert not balance.weight(*losses(1.0)).requires_grad
    assert set(balance.state_dict()) == {"enhancement", "contrastive"}
