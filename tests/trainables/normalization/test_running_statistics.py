"""Running statistics and the affine map, against the textbook and, to the bit, against plain arithmetic."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainables.normalization.moments import Moments, moments
from trainables.normalization.running_statistics import NormalizedSites, RunningStatistics


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 1.0), st.integers(0, 2**16))
def test_gradient_of_the_affine_map_is_its_scale(k: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    running = RunningStatistics(5)
    draw = [0.1 + torch.rand(5, generator=generator) for _ in range(4)]
    running.update((draw[0], draw[1]), (draw[2], draw[3]))
    x = torch.randn(2, 5, 7, generator=generator, requires_grad=True)
    running.normalize(x, torch.tensor(k)).sum().backward()
    expected = (1 + k * (running.ratio - 1))[:, None].expand_as(x)
    torch.testing.assert_close(x.grad, expected)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 1.0))
def test_the_map_is_the_interpolation_of_the_paper(k: float) -> None:
    running = RunningStatistics(3)
    mu, sigma = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([1.0, 0.5, 2.0])
    mu_n, sigma_n = torch.tensor([0.5, 0.0, 1.0]), torch.tensor([2.0, 0.5, 1.0])
    running.update((mu, sigma), (mu_n, sigma_n))
    x = torch.linspace(-2, 2, 12).reshape(1, 3, 4)
    r = ((sigma_n + 1e-5) / (sigma + 1e-5))[:, None]
    full = r * x + (mu_n[:, None] - r * mu[:, None])
    torch.testing.assert_close(running.normalize(x, torch.tensor(k)), x + k * (full - x))


def test_running_statistics_are_the_bias_corrected_averages() -> None:
    running = RunningStatistics(2)
    running.momentum = (0.9, 0.5)
    generator = torch.Generator().manual_seed(0)
    batches = [[0.5 + torch.rand(2, generator=generator) for _ in range(4)] for _ in range(6)]
    moments = torch.zeros(3, 2)
    for mu, sigma, mu_n, sigma_n in batches:
        running.update((mu, sigma), (mu_n, sigma_n))
        ratio = (sigma_n + 1e-5) / (sigma + 1e-5)
        moments = torch.stack(
            [0.9 * moments[0] + 0.1 * mu, 0.9 * moments[1] + 0.1 * mu_n, 0.5 * moments[2] + 0.5 * ratio]
        )
    torch.testing.assert_close(running.noisy_mean, moments[0] / (1 - 0.9**6))
    torch.testing.assert_close(running.clean_mean, moments[1] / (1 - 0.9**6))
    torch.testing.assert_close(running.ratio, moments[2] / (1 - 0.5**6))


def test_ratios_are_clamped() -> None:
    running = RunningStatistics(2)
    zero, one = torch.zeros(2), torch.tensor([0.0, 100.0])
    running.update((zero, one.flip(0)), (zero, one))
    torch.testing.assert_close(running.ratio, torch.tensor([0.1, 10.0]))


def test_before_the_first_batch_the_map_is_the_identity() -> None:
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(RunningStatistics(3).normalize(x, torch.tensor(0.8)), x)


def drawn(seed: int) -> tuple[Moments, Moments]:
    """Moments of a noisy and of a clean batch with three channels."""
    noisy, clean = torch.randn(2, 2, 3, 40, generator=torch.Generator().manual_seed(seed))
    return moments(noisy), moments(0.5 * clean)


@pytest.mark.parametrize("momentum", [(0.99, 0.999), (0.99, 0.99)])
def test_the_arithmetic_is_to_the_bit_that_of_weighted_sums(momentum: tuple[float, float]) -> None:
    """Trained models of both methods rest on it: the order of operations must not change."""
    running = RunningStatistics(3, momentum=momentum)
    sums: list[Tensor] = [torch.zeros(3) for _ in range(3)]
    weights = torch.zeros(2)
    for seed in range(5):
        noisy, clean = drawn(seed)
        running.update(noisy, clean)
        ratio = ((clean[1] + 1e-5) / (noisy[1] + 1e-5)).clamp(0.1, 10.0)
        betas = (momentum[0], momentum[0], momentum[1])
        sums = [total * beta + new for total, beta, new in zip(sums, betas, (noisy[0], clean[0], ratio), strict=True)]
        weights = weights * torch.tensor(momentum) + 1.0
    averages = [sums[0] / weights[0], sums[1] / weights[0], sums[2] / weights[1]]
    assert torch.equal(running.noisy_mean, averages[0])
    assert torch.equal(running.clean_mean, averages[1])
    assert torch.equal(running.ratio, averages[2])
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(9))
    scale, shift = 1.0 + 0.3 * (averages[2] - 1.0), 0.3 * (averages[1] - averages[2] * averages[0])
    expected = scale[:, None, None] * x + shift[:, None, None]
    assert torch.equal(running.normalize(x, torch.tensor(0.3)), expected)


def test_masked_and_plain_moments_agree_where_nothing_is_padding() -> None:
    features = torch.randn(4, 3, 50, generator=torch.Generator().manual_seed(0))
    masked, plain = moments(features, torch.ones(4, 1, 50)), moments(features)
    torch.testing.assert_close(masked, plain)


def test_checkpoints_with_the_old_names_load() -> None:
    sites = NormalizedSites({1: 3}, 4)
    sites.running(1).update(*drawn(0))
    sites.set_strength(0.25)
    running = sites.running(1)
    of_separation = {
        "strength": torch.tensor(0.25),
        "statistics.1.sums": torch.stack([running.noisy_sum, running.clean_sum, running.ratio_sum]),
        "statistics.1.weight": running.weights[0],
    }
    of_ssl = {("strength" if name == "strengths" else name): value for name, value in sites.state_dict().items()}
    for old in (of_separation, of_ssl):
        loaded = NormalizedSites({1: 3}, 4)
        loaded.load_state_dict(old)
        assert loaded.strengths[1] == 0.25
        for name, value in running.state_dict().items():
            assert torch.equal(loaded.running(1).state_dict()[name], value)
