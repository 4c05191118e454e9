import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.losses.si_sdr import si_sdr, si_sdr_loss


def numpy_si_sdr(estimate: np.ndarray, reference: np.ndarray) -> float:
    """By projection with least squares, in float64: an independent way to the same number."""
    estimate, reference = estimate - estimate.mean(), reference - reference.mean()
    scale = np.linalg.lstsq(reference[:, None], estimate, rcond=None)[0][0]
    return float(20 * np.log10(np.linalg.norm(scale * reference) / np.linalg.norm(estimate - scale * reference)))


def signals(seed: int, noise: float = 0.3, samples: int = 800) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    reference = rng.standard_normal((3, samples))
    estimate = reference + noise * rng.standard_normal(reference.shape)
    return torch.from_numpy(estimate), torch.from_numpy(reference)


def test_agrees_with_a_least_squares_projection() -> None:
    estimate, reference = signals(0)
    expected = [numpy_si_sdr(e, r) for e, r in zip(estimate.numpy() + 0.2, reference.numpy() - 0.1, strict=True)]
    np.testing.assert_allclose(si_sdr(estimate + 0.2, reference - 0.1).numpy(), expected, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), gain=st.floats(0.1, 10), offset=st.floats(-1, 1))
def test_ignores_gain_polarity_and_offset_of_the_estimate(seed: int, gain: float, offset: float) -> None:
    estimate, reference = signals(seed)
    expected = si_sdr(estimate, reference)
    torch.testing.assert_close(si_sdr(-gain * estimate + offset, reference), expected, atol=1e-5, rtol=0)


def test_padding_does_not_count_whatever_it_holds() -> None:
    estimate, reference = signals(1)
    padded = torch.cat([estimate, 7 * torch.ones(3, 50)], dim=1)
    lengths = torch.tensor([800, 800, 800])
    silent = torch.nn.functional.pad(reference, (0, 50))
    torch.testing.assert_close(si_sdr(padded, silent, lengths), si_sdr(estimate, reference))


def test_loss_is_the_negative_mean() -> None:
    estimate, reference = signals(2)
    assert si_sdr_loss(estimate, reference) == -si_sdr(estimate, reference).mean()


@pytest.mark.parametrize("reference", [torch.zeros(1, 100), torch.ones(1, 100), torch.randn(1, 100)])
@pytest.mark.parametrize("perfect", [False, True])
def test_stays_finite_with_its_gradient_on_silence_and_on_perfection(reference: torch.Tensor, perfect: bool) -> None:
    estimate = (reference.clone() if perfect else torch.randn(1, 100)).requires_grad_()
    loss = si_sdr_loss(estimate, reference)
    loss.backward()
    assert torch.isfinite(loss)
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_gradient_is_right() -> None:
    estimate, reference = signals(3, samples=20)
    assert torch.autograd.gradcheck(lambda e: si_sdr(e, reference), estimate.requires_grad_())
