"""Probabilistic PIT: its definition, both of its limits, and its gradient."""

import math
from itertools import permutations

import pytest
import torch

from trainables.losses.permutation import all_orders, assigned, best_assignment, every_score, pairwise_si_sdr, pit_loss
from trainables.losses.probabilistic_pit import assignment_weights, soft_pit_loss, temperature_at, undecided

THREE = torch.tensor([[[6.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 3.0, 4.0]]])  # dB; reference by output


def two(straight: float, crossed: float) -> torch.Tensor:
    """Scores of two sources whose two assignments have these means."""
    return torch.tensor([[[straight, crossed], [crossed, straight]]])


def scores(batch: int, sources: int, seed: int = 1) -> torch.Tensor:
    return 8 * torch.randn(batch, sources, sources, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("temperature", "loss"), [(0.1, -4.930685), (1.0, -4.433781), (10.0, -4.049917)])
def test_two_sources_by_hand(temperature: float, loss: float) -> None:
    """Losses of -5 and -3 dB: -T log((exp(5 / T) + exp(3 / T)) / 2)."""
    assert float(soft_pit_loss(two(5.0, 3.0), temperature)) == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(("temperature", "loss"), [(1.0, -3.503020), (10.0, -2.544866)])
def test_three_sources_by_hand(temperature: float, loss: float) -> None:
    assert float(soft_pit_loss(THREE, temperature)) == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize("sources", [1, 2, 3, 4, 5])
def test_it_is_its_definition(sources: int) -> None:
    pairwise, temperature = scores(4, sources), 2.5
    expected = []
    for item in pairwise.double():
        likelihoods = [
            math.exp(float(item[range(sources), list(order)].mean()) / temperature)
            for order in permutations(range(sources))
        ]
        expected.append(-temperature * math.log(sum(likelihoods) / len(likelihoods)))
    found = float(soft_pit_loss(pairwise, temperature))
    assert found == pytest.approx(sum(expected) / 4, abs=1e-5)


def test_it_tends_to_pit_as_the_temperature_falls() -> None:
    pairwise = scores(6, 3)
    hard = float(-best_assignment(pairwise).score.mean())
    distances = [float(soft_pit_loss(pairwise, temperature)) - hard for temperature in (10.0, 1.0, 0.1, 1e-3)]
    assert distances == sorted(distances, reverse=True)
    assert 0 < distances[-1] < 1e-3 * math.log(6) + 1e-6  # never below PIT, and above it by at most T log S!


def test_its_gradient_is_that_of_pit_at_a_low_temperature() -> None:
    soft, hard = scores(6, 3).requires_grad_(), scores(6, 3).requires_grad_()
    soft_pit_loss(soft, 1e-3).backward()
    (-best_assignment(hard).score.mean()).backward()
    torch.testing.assert_close(soft.grad, hard.grad, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sources", [2, 3, 4])
def test_it_is_the_mean_over_assignments_at_infinity_and_so_is_its_gradient(sources: int) -> None:
    """Every pair is part of an equal share of the assignments: 1 / sources."""
    pairwise = scores(5, sources).requires_grad_()
    loss = soft_pit_loss(pairwise, 1e9)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(-pairwise.detach().mean()), abs=1e-5)
    expected = torch.full((5, sources, sources), -1.0 / (5 * sources * sources))
    torch.testing.assert_close(pairwise.grad, expected, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 30.0])
def test_its_gradient_is_the_assignments_gradients_weighted(temperature: float) -> None:
    pairwise = scores(4, 3).requires_grad_()
    soft_pit_loss(pairwise, temperature).backward()
    weights = assignment_weights(pairwise.detach(), temperature)
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    expected = torch.zeros(4, 3, 3)
    for number, order in enumerate(permutations(range(3))):
        for reference, output in enumerate(order):
            expected[:, reference, output] -= weights[:, number] / (3 * 4)
    torch.testing.assert_close(pairwise.grad, expected, atol=1e-6, rtol=1e-5)


def test_gradcheck() -> None:
    pairwise = scores(2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: soft_pit_loss(each, 3.0), (pairwise,))


def test_swapped_estimates_give_an_equal_loss() -> None:
    pairwise = scores(4, 4)
    turned = pairwise[:, :, [2, 0, 3, 1]]
    torch.testing.assert_close(soft_pit_loss(turned, 1.0), soft_pit_loss(pairwise, 1.0))


def test_weights_of_two_sources_differ_by_tanh_of_their_margin() -> None:
    weights = assignment_weights(two(5.0, 3.0), 1.0)[0]
    assert float(weights[0]) == pytest.approx(0.880797, abs=1e-6)
    assert float(weights[0] - weights[1]) == pytest.approx(math.tanh(1.0), abs=1e-6)


def test_how_undecided_it_is() -> None:
    pairwise = torch.cat([two(5.0, 5.0), two(500.0, 3.0), two(5.0, 3.0)])
    found = undecided(assignment_weights(pairwise, 1.0)).tolist()
    share = 1 / (1 + math.exp(-2.0))
    middle = -(share * math.log(share) + (1 - share) * math.log(1 - share)) / math.log(2)
    assert found == pytest.approx([1.0, 0.0, middle], abs=1e-6)
    assert undecided(torch.ones(3, 1)).tolist() == [0.0, 0.0, 0.0]


def test_one_source_is_negative_si_sdr() -> None:
    assert float(soft_pit_loss(torch.tensor([[[7.0]], [[5.0]]]), 1.0)) == pytest.approx(-6.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature="):
        soft_pit_loss(two(5.0, 3.0), temperature)
    with pytest.raises(ValueError, match="temperature="):
        assignment_weights(two(5.0, 3.0), temperature)


def test_silence_gives_finite_losses_and_gradients() -> None:
    estimates = torch.zeros(1, 2, 100, requires_grad=True)
    loss = soft_pit_loss(pairwise_si_sdr(estimates, torch.zeros(1, 2, 100)), 1e-3)
    loss.backward()
    assert estimates.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(estimates.grad).all()


def test_a_high_temperature_draws_two_outputs_towards_the_mixture() -> None:
    """Outputs that start alike part under PIT and stay together under the mean of all assignments."""
    references = torch.randn(1, 2, 500, generator=torch.Generator().manual_seed(2))
    apart = {}
    for temperature in (None, 1000.0):
        start = references.sum(1, keepdim=True).repeat(1, 2, 1)
        estimates = (start + 0.1 * torch.randn(1, 2, 500, generator=torch.Generator().manual_seed(3))).requires_grad_()
        optimizer = torch.optim.SGD([estimates], lr=5.0)
        for _ in range(200):
            loss = (
                pit_loss(estimates, references)[0]
                if temperature is None
                else soft_pit_loss(pairwise_si_sdr(estimates, references), temperature)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        apart[temperature] = float(best_assignment(pairwise_si_sdr(estimates.detach(), references)).score)
    assert apart[None] > 10
    assert apart[1000.0] < 1


def test_the_temperature_over_training() -> None:
    assert temperature_at(0.7, 1.0, None, 0.5) == 1.0
    assert temperature_at(0.0, 1.0, 0.05, 0.5) == 1.0
    halfway = temperature_at(0.25, 1.0, 0.05, 0.5)
    assert halfway == pytest.approx(math.sqrt(0.05))
    assert temperature_at(0.5, 1.0, 0.05, 0.5) is None
    assert temperature_at(1.0, 1.0, 0.05, 0.5) is None


def test_every_assignments_score() -> None:
    pairwise = scores(3, 3)
    orders = all_orders(3)
    assert [tuple(order) for order in orders.tolist()] == list(permutations(range(3)))
    for number, order in enumerate(orders):
        chosen = assigned(pairwise, order.expand(3, -1))
        torch.testing.assert_close(every_score(pairwise)[:, number], chosen.score)
    torch.testing.assert_close(every_score(pairwise).amax(1), best_assignment(pairwise).score)
