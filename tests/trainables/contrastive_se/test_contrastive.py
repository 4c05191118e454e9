"""The contrastive loss and its momentum target."""

from typing import cast

import numpy as np
import pytest
import torch

from trainables.contrastive_se.contrastive import contrastive_loss, similarity
from trainables.contrastive_se.momentum_encoder import MomentumEncoder


def views(count: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(count, 3, 8, 5), torch.randn(count, 3, 8, 5)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_it_is_the_mean_cosine_of_frames_across_views() -> None:
    predicted, target = views()
    p, t = predicted.numpy(), target.numpy()
    places = [(item, frame) for item in range(3) for frame in range(5)]
    ahead = np.mean([cosine(p[0, i, :, f], t[1, i, :, f]) for i, f in places])
    back = np.mean([cosine(p[1, i, :, f], t[0, i, :, f]) for i, f in places])
    assert float(contrastive_loss(predicted, target)) == pytest.approx(-(ahead + back) / 2, abs=1e-6)


def test_pooled_vectors_are_averaged_over_time_first() -> None:
    predicted, target = views()
    p, t = predicted.mean(-1).numpy(), target.mean(-1).numpy()
    expected = np.mean([cosine(p[0, item], t[1, item]) for item in range(3)])
    assert float(similarity(predicted[0], target[1], pooled=True)) == pytest.approx(expected, abs=1e-6)


def test_more_views_compare_every_ordered_pair() -> None:
    predicted, target = views(count=3)
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    expected = -torch.stack([similarity(predicted[a], target[b]) for a, b in pairs]).mean()
    assert torch.equal(contrastive_loss(predicted, target), expected)


@pytest.mark.parametrize(("sign", "expected"), [(1.0, -1.0), (-1.0, 1.0)])
def test_its_range_is_minus_one_to_one(sign: float, expected: float) -> None:
    predicted, _ = views()
    same = predicted[:1].repeat(2, 1, 1, 1)
    assert float(contrastive_loss(same, sign * 3.0 * same)) == pytest.approx(expected, abs=1e-6)


def test_it_agrees_with_the_distance_of_unit_vectors() -> None:
    """||p - t||^2 = 2 - 2 cos, the report's "L2 loss"."""
    predicted, target = views()
    unit = [torch.nn.functional.normalize(each, dim=1) for each in (predicted[0], target[1])]
    distance = (unit[0] - unit[1]).square().sum(dim=1).mean()
    assert float(2 - 2 * similarity(predicted[0], target[1])) == pytest.approx(float(distance), abs=1e-5)


def encoder(seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))


@pytest.mark.parametrize("tau", [0.0, 0.9, 1.0])
def test_the_target_follows_exponentially(tau: float) -> None:
    """tau = 1 leaves it where it is, tau = 0 copies; both to the bit."""
    online, target = encoder(1), MomentumEncoder(encoder(0))
    before = [parameter.clone() for parameter in target.parameters()]
    target.update(online, tau)
    for old, new, source in zip(before, target.parameters(), online.parameters(), strict=True):
        torch.testing.assert_close(new, tau * old + (1 - tau) * source.detach())
        if tau in (0.0, 1.0):
            assert torch.equal(new, old if tau else source)


def test_running_statistics_are_copied() -> None:
    online, target = encoder(1), MomentumEncoder(encoder(0))
    online(torch.randn(16, 4) * 3 + 1)
    target.update(online, 0.99)
    for mine, theirs in zip(target.encoder.buffers(), online.buffers(), strict=True):
        assert torch.equal(mine, theirs)


def test_it_starts_as_a_copy_and_its_distance_is_measured() -> None:
    online = encoder(1)
    target = MomentumEncoder(online)
    assert target.distance(online) == 0.0
    with torch.no_grad():
        cast(torch.nn.Linear, online[0]).bias.add_(2.0)
    assert target.distance(online) == pytest.approx(2.0 * 3**0.5)


def test_no_gradient_reaches_the_target() -> None:
    target = MomentumEncoder(encoder(0))
    assert not target(torch.randn(5, 4)).requires_grad
    assert not any(parameter.requires_grad for parameter in target.parameters())


@pytest.mark.parametrize("pooled", [False, True])
def test_frames_of_padding_do_not_count(pooled: bool) -> None:
    predicted, target = views()
    frames = predicted.shape[-1]
    valid = torch.ones(predicted.shape[1], 1, frames)
    valid[0, :, frames // 2 :] = 0.0
    found = contrastive_loss(predicted, target, pooled, valid)
    dirty = contrastive_loss(predicted + 5.0 * (1 - valid), target - 3.0 * (1 - valid), pooled, valid)
    torch.testing.assert_close(found, dirty)
    assert not torch.isclose(found, contrastive_loss(predicted, target, pooled))
    cut = (predicted[..., : frames // 2], target[..., : frames // 2], pooled)
    same = contrastive_loss(predicted, target, pooled, torch.cat([valid[:1]] * len(valid)))
    torch.testing.assert_close(same, contrastive_loss(*cut))
