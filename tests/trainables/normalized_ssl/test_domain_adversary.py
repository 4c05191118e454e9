"""The domain classifier: its size, its statistics, and that a body trained against it hides the domain."""

import math

import pytest
import torch
from torch import nn

from trainables.normalized_ssl.domain_adversary import (
    DomainAdversary,
    accuracy,
    domain_loss,
    item_statistics,
    reversal_at,
)


@pytest.mark.parametrize(("channels", "parameters"), [(128, 33_025), (512, 131_329), (768, 196_865)])
def test_its_size(channels: int, parameters: int) -> None:
    assert sum(each.numel() for each in DomainAdversary(channels).parameters()) == parameters


def test_it_reads_each_channels_mean_and_deviation() -> None:
    features = torch.randn(3, 4, 200) * 2 + 1
    found = item_statistics(features)
    torch.testing.assert_close(found[:, :4], features.mean(2))
    torch.testing.assert_close(found[:, 4:], features.std(2, unbiased=False), atol=1e-5, rtol=1e-5)


def test_padding_is_not_read() -> None:
    features, valid = torch.randn(2, 4, 50), torch.ones(2, 1, 50)
    valid[1, :, 30:] = 0
    padded = torch.where(valid.bool(), features, 99.0)
    found = item_statistics(padded, valid)
    torch.testing.assert_close(found[0], item_statistics(features)[0])
    torch.testing.assert_close(found[1:], item_statistics(features[1:, :, :30]))


def test_silence_has_a_finite_gradient() -> None:
    features = torch.zeros(1, 2, 10, requires_grad=True)
    item_statistics(features).sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_its_loss_is_cross_entropy_in_nats() -> None:
    scores, domain = torch.tensor([[0.0], [2.0]]), torch.tensor([1, 0])
    expected = (math.log(2.0) + math.log(1 + math.exp(2.0))) / 2
    assert float(domain_loss(scores, domain)) == pytest.approx(expected, abs=1e-6)
    assert float(domain_loss(torch.zeros(3, 5), torch.tensor([0, 4, 2]))) == pytest.approx(math.log(5.0), abs=1e-6)
    assert accuracy(scores, domain) == 0.0
    assert accuracy(scores, torch.tensor([0, 1])) == 1.0
    assert accuracy(torch.eye(3), torch.tensor([0, 1, 1])) == pytest.approx(2 / 3)


def test_two_domains_at_least() -> None:
    with pytest.raises(ValueError, match="domains=1"):
        DomainAdversary(4, domains=1)
    assert DomainAdversary(4, domains=3)(torch.randn(2, 4, 9)).shape == (2, 3)


def test_only_the_bodys_gradient_is_reversed() -> None:
    torch.manual_seed(1)
    adversary, features, domain = DomainAdversary(4), torch.randn(6, 4, 20), torch.tensor([0, 1] * 3)
    plain, reversed_ = features.clone().requires_grad_(), features.clone().requires_grad_()
    domain_loss(adversary(plain), domain).backward()
    own = [each.grad.clone() for each in adversary.parameters()]  # type: ignore[union-attr]
    adversary.zero_grad()
    adversary.loss(reversed_, domain, 0.3).backward()
    assert plain.grad is not None
    torch.testing.assert_close(reversed_.grad, -0.3 * plain.grad)
    for before, each in zip(own, adversary.parameters(), strict=True):
        torch.testing.assert_close(each.grad, before)


def test_at_strength_0_the_body_learns_nothing_of_it() -> None:
    features = torch.randn(6, 4, 20, requires_grad=True)
    DomainAdversary(4).loss(features, torch.tensor([0, 1] * 3), 0.0).backward()
    assert features.grad is not None
    assert not features.grad.any()


def test_the_strength_over_training() -> None:
    assert reversal_at(0.3, 0.05, "constant") == 0.05
    assert reversal_at(0.0, 1.0, "ganin") == 0.0
    assert reversal_at(0.1, 0.2, "ganin") == pytest.approx(0.2 * math.tanh(0.5))
    assert reversal_at(1.0, 1.0, "ganin") == pytest.approx(math.tanh(5.0))
    assert reversal_at(0.5, 0.2, "as_k", k_share=0.25) == pytest.approx(0.05)


def test_a_body_trained_against_it_hides_a_planted_shift() -> None:
    """Noisy features are shifted in one channel; a fresh probe finds that in the body as it was, not after training."""
    gains = {strength: _trained_gains(strength) for strength in (0.0, 1.0)}
    assert gains[0.0].tolist() == [[1.0]] * 4
    assert abs(float(gains[1.0][0])) < 0.1
    torch.testing.assert_close(gains[1.0][1:], torch.ones(3, 1), atol=0.05, rtol=0)  # the rest is as the task wants it
    assert _probed(gains[0.0]) > 0.95
    assert _probed(gains[1.0]) < 0.6


def _drawn(seed: int, gains: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of a body that scales every channel, behind it noise; half of the items shifted. And their domains."""
    generator = torch.Generator().manual_seed(seed)
    domain = torch.arange(64) % 2
    features, noise = torch.randn(2, 64, 4, 20, generator=generator)
    features[:, 0] += 1.5 * domain[:, None]
    return gains * features + noise, domain


def _trained_gains(strength: float) -> torch.Tensor:
    """The task wants gains of 1, and nothing of the shifted channel."""
    torch.manual_seed(2)
    gains, adversary = nn.Parameter(torch.ones(4, 1)), DomainAdversary(4)
    optimizer = torch.optim.Adam([{"params": [gains], "lr": 5e-3}, {"params": [*adversary.parameters()], "lr": 1e-2}])
    for step in range(250):
        features, domain = _drawn(step, gains)
        loss = (gains[1:] - 1).square().mean() + adversary.loss(features, domain, strength)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return gains.detach()


def _probed(gains: torch.Tensor) -> float:
    """Accuracy of a fresh classifier on features it has not seen."""
    torch.manual_seed(3)
    probe = DomainAdversary(4)
    optimizer = torch.optim.Adam(probe.parameters(), lr=1e-2)
    for step in range(60):
        features, domain = _drawn(10_000 + step, gains)
        loss = domain_loss(probe(features), domain)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = [
            accuracy(probe(features), domain) for features, domain in (_drawn(90_000 + n, gains) for n in range(5))
        ]
    return sum(found) / len(found)
