import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.losses.complex_mask import compress, decompress, ideal_mask


def spectra(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((2, 2, 201, 5)) + 1j * rng.standard_normal((2, 2, 201, 5))
    return torch.from_numpy(values[0]), torch.from_numpy(values[1])


@pytest.mark.parametrize(("mask", "compressed"), [(1.0, 0.499584), (-3.0, -1.488850), (0.0, 0.0)])
def test_published_values(mask: float, compressed: float) -> None:
    assert compress(torch.tensor(mask, dtype=torch.float64)).item() == pytest.approx(compressed, abs=1e-6)


def test_compression_follows_the_papers_exponential_form() -> None:
    mask = np.linspace(-100, 100, 401)
    expected = 10 * (1 - np.exp(-0.1 * mask)) / (1 + np.exp(-0.1 * mask))
    np.testing.assert_allclose(compress(torch.from_numpy(mask)).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@settings(max_examples=25, deadline=None)
@given(magnitude=st.floats(0, 20), phase=st.floats(-np.pi, np.pi))
def test_round_trip_is_exact_below_magnitude_20(dtype: torch.dtype, magnitude: float, phase: float) -> None:
    mask = torch.tensor([magnitude * np.exp(1j * phase)], dtype=dtype)
    assert (decompress(compress(mask)) - mask).abs().item() < 1e-4


def test_inverse_clamps_at_9_9_to_a_finite_mask() -> None:
    limit = np.log(19.9 / 0.1) / 0.1
    values = decompress(torch.tensor([9.9, 10.0, 1e6, -1e6], dtype=torch.float64))
    np.testing.assert_allclose(values.numpy(), [limit, limit, limit, -limit], rtol=1e-9)


def test_ideal_mask_turns_the_mixture_into_the_clean_speech() -> None:
    noisy, clean = spectra()
    torch.testing.assert_close(ideal_mask(noisy, clean, eps=0.0) * noisy, clean)


def test_ideal_mask_follows_the_papers_real_and_imaginary_parts() -> None:
    noisy, clean = spectra(1)
    y, s = noisy.numpy(), clean.numpy()
    power = y.real**2 + y.imag**2 + 1e-8
    expected = (y.real * s.real + y.imag * s.imag) / power + 1j * (y.real * s.imag - y.imag * s.real) / power
    np.testing.assert_allclose(ideal_mask(noisy, clean).numpy(), expected, atol=1e-12)


def test_a_silent_mixture_gives_a_zero_mask() -> None:
    silent = torch.zeros(1, 201, 3, dtype=torch.complex64)
    assert torch.equal(ideal_mask(silent, silent), silent)


def test_a_network_can_learn_through_the_inverse() -> None:
    compressed = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decompress, compressed)
