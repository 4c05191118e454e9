"""Gradient reversal: nothing forwards, sign and scale backwards."""

import math

import pytest
import torch

from trainables.networks.gradient_reversal import reverse_gradient


@pytest.mark.parametrize("strength", [0.0, 0.05, 1.0, 3.0])
def test_forwards_it_is_the_identity_and_backwards_minus_its_strength(strength: float) -> None:
    features = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 5, dtype=torch.float64)
    found = reverse_gradient(features, strength)
    assert torch.equal(found, features)
    (found * weights).sum().backward()
    torch.testing.assert_close(features.grad, -strength * weights)


def test_only_what_lies_before_it_is_reversed() -> None:
    before, behind = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
    inputs, gradients = torch.randn(4, 3), {}
    for strength in (None, 0.5):
        hidden = before(inputs)
        behind(hidden if strength is None else reverse_gradient(hidden, strength)).square().sum().backward()
        gradients[strength] = before.weight.grad.clone(), behind.weight.grad.clone()  # type: ignore[union-attr]
        before.zero_grad()
        behind.zero_grad()
    torch.testing.assert_close(gradients[0.5][0], -0.5 * gradients[None][0])
    torch.testing.assert_close(gradients[0.5][1], gradients[None][1])


def test_other_losses_on_the_same_features_keep_their_gradient() -> None:
    features = torch.randn(5, requires_grad=True)
    (features.sum() + reverse_gradient(features, 0.25).sum()).backward()
    torch.testing.assert_close(features.grad, torch.full((5,), 0.75))


def test_twice_reversed_is_forwards_again() -> None:
    features = torch.randn(5, requires_grad=True)
    reverse_gradient(reverse_gradient(features, 2.0), 3.0).sum().backward()
    torch.testing.assert_close(features.grad, torch.full((5,), 6.0))


@pytest.mark.parametrize("strength", [-0.1, math.nan, math.inf])
def test_a_strength_that_is_none_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="strength="):
        reverse_gradient(torch.ones(1), strength)
