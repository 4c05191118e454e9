"""Permutation-invariant training against its plain definition."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.losses.permutation import best_assignment, margin, pairwise_si_sdr, pit_loss
from trainables.losses.si_sdr import si_sdr, si_sdr_loss
from trainables.metrics.si_sdr import si_sdr as metric_si_sdr


def signals(seed: int, batch: int, sources: int, samples: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    references = torch.randn(batch, sources, samples, generator=generator)
    mixing = torch.rand(batch, sources, sources, generator=generator)
    estimates = mixing @ references + 0.3 * torch.randn(batch, sources, samples, generator=generator)
    return estimates + 0.2, references


def brute_force(estimates: torch.Tensor, references: torch.Tensor) -> tuple[float, list[tuple[int, ...]]]:
    losses, orders = [], []
    for estimate, reference in zip(estimates, references, strict=True):
        scores = {
            order: np.mean([float(si_sdr(estimate[None, o], reference[None, r])) for r, o in enumerate(order)])
            for order in permutations(range(len(reference)))
        }
        best = max(scores, key=scores.__getitem__)
        losses.append(-scores[best])
        orders.append(best)
    return float(np.mean(losses)), orders


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), sources=st.integers(2, 4))
def test_loss_and_orders_equal_brute_force(seed: int, sources: int) -> None:
    estimates, references = signals(seed, batch=3, sources=sources)
    loss, orders = pit_loss(estimates, references)
    expected, expected_orders = brute_force(estimates, references)
    assert float(loss) == pytest.approx(expected, abs=1e-5)
    assert [tuple(order) for order in orders.tolist()] == expected_orders


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), sources=st.integers(2, 4), shift=st.integers(0, 3))
def test_swapped_estimates_give_an_equal_loss_and_swapped_orders(seed: int, sources: int, shift: int) -> None:
    estimates, references = signals(seed, batch=2, sources=sources)
    turned = torch.roll(torch.arange(sources), shift)
    loss, orders = pit_loss(estimates, references)
    other, other_orders = pit_loss(estimates[:, turned], references)
    assert float(loss) == pytest.approx(float(other), abs=1e-9)
    assert torch.equal(turned[other_orders], orders)


def test_one_source_is_plain_negative_si_sdr() -> None:
    estimates, references = signals(1, batch=4, sources=1)
    loss, orders = pit_loss(estimates, references)
    torch.testing.assert_close(loss, si_sdr_loss(estimates[:, 0], references[:, 0]), atol=1e-5, rtol=1e-5)
    assert orders.tolist() == [[0]] * 4


def test_good_estimates_lose_no_digits_to_the_difference() -> None:
    _, references = signals(2, batch=1, sources=2, samples=8000)
    estimates = references + 1e-4 * torch.randn(references.shape, generator=torch.Generator().manual_seed(9))
    pairwise = pairwise_si_sdr(estimates, references)
    for source in range(2):
        expected = metric_si_sdr(references[0, source].numpy(), estimates[0, source].numpy())
        assert expected > 75
        assert float(pairwise[0, source, source]) == pytest.approx(expected, abs=1e-3)


def test_padding_does_not_count() -> None:
    estimates, references = signals(3, batch=2, sources=2)
    lengths = torch.tensor([400, 250])
    padded = estimates.clone(), references.clone()
    for tensor in padded:
        tensor[1, :, 250:] = 7.0
    cut = pairwise_si_sdr(estimates[1:, :, :250], references[1:, :, :250])
    torch.testing.assert_close(pairwise_si_sdr(*padded, lengths)[1:], cut)


def test_gradients_equal_those_of_the_chosen_pairs() -> None:
    estimates, references = signals(4, batch=2, sources=2)
    ours, plain = estimates.clone().requires_grad_(), estimates.clone().requires_grad_()
    loss, orders = pit_loss(ours, references)
    loss.backward()
    chosen = torch.stack([item[order] for item, order in zip(plain, orders, strict=True)])
    si_sdr_loss(chosen.flatten(0, 1), references.flatten(0, 1)).backward()
    torch.testing.assert_close(ours.grad, plain.grad, atol=1e-6, rtol=1e-4)


def test_silence_gives_finite_losses_and_gradients() -> None:
    estimates = torch.zeros(1, 2, 100, requires_grad=True)
    loss, _ = pit_loss(estimates, torch.zeros(1, 2, 100))
    loss.backward()
    assert torch.isfinite(loss)
    assert estimates.grad is not None
    assert torch.isfinite(estimates.grad).all()


def test_equal_outputs_keep_their_order() -> None:
    _, references = signals(5, batch=1, sources=2)
    mixture = references.sum(1, keepdim=True).expand(-1, 2, -1)
    assert best_assignment(pairwise_si_sdr(mixture, references)).order.tolist() == [[0, 1]]


def test_margin_is_the_lead_over_the_second_best_order() -> None:
    pairwise = torch.tensor([[[10.0, 2.0], [4.0, 9.0]], [[1.0, 1.0], [1.0, 1.0]]])
    torch.testing.assert_close(margin(pairwise), torch.tensor([6.5, 0.0]))
    assert margin(torch.ones(2, 1, 1)).tolist() == [0.0, 0.0]
