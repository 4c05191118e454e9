import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.losses.permutation import pairwise_si_sdr
from trainables.losses.si_sdr import masked_si_sdr, si_sdr, si_sdr_loss


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


@pytest.mark.parametrize("zero_mean", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-6, 1e-8, 0.0])
def test_a_masked_value_is_that_of_the_cut_signal_at_every_level(scale: float, zero_mean: bool) -> None:
    estimate, reference = (signal.float() for signal in signals(4))
    estimate, lengths = scale * (estimate + 0.1), torch.tensor([800, 311, 2])
    found = si_sdr(estimate, reference, lengths, zero_mean)
    for item, length in enumerate(lengths.tolist()):
        cut = estimate[item : item + 1, :length], reference[item : item + 1, :length]
        assert float(found[item]) == pytest.approx(float(si_sdr(*cut, zero_mean=zero_mean)), abs=1e-4)
    holes = torch.rand(3, 800, generator=torch.Generator().manual_seed(1)) < 0.3
    kept = estimate[:1, holes[0]], reference[:1, holes[0]]
    masked = masked_si_sdr(estimate, reference, holes.float(), zero_mean)[0]
    assert float(masked) == pytest.approx(float(si_sdr(*kept, zero_mean=zero_mean)), abs=1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-6, 1e-8, 0.0])
def test_the_pairwise_form_gives_the_same_number(scale: float) -> None:
    estimate, reference = signals(5)
    expected = si_sdr(scale * estimate, reference).float()
    found = pairwise_si_sdr(scale * estimate[:, None], reference[:, None])[:, 0, 0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_no_sample_at_all_and_silence_are_minus_80_db() -> None:
    estimate, reference = signals(6)
    nothing = si_sdr(estimate, reference, torch.zeros(3, dtype=torch.int64))
    assert nothing.tolist() == pytest.approx([-80.0] * 3)
    assert si_sdr(0.0 * estimate, reference).tolist() == pytest.approx([-80.0] * 3)
    assert si_sdr(estimate, 0.0 * reference).tolist() == pytest.approx([-80.0] * 3)


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
