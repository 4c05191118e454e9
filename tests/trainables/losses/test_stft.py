import numpy as np
import pytest
import scipy.signal
import torch

from trainables.losses.stft import DEMUCS_RESOLUTIONS, RESOLUTIONS, multi_resolution_stft_loss


def scipy_magnitude(signal: np.ndarray, fft: int, window: int, hop: int) -> np.ndarray:
    """(bins, frames) by scipy: periodic Hann window centred in the FFT frame, frame t centred on t * hop."""
    hann = scipy.signal.get_window("hann", window, fftbins=True)
    side = (fft - window) // 2
    frame = np.concatenate([np.zeros(side), hann, np.zeros(fft - window - side)])
    padded = np.pad(signal, fft // 2)
    starts = range(0, len(padded) - fft + 1, hop)
    spectrum = np.fft.rfft(np.stack([padded[start : start + fft] * frame for start in starts]), axis=1).T
    return np.sqrt(np.maximum(np.abs(spectrum) ** 2, 1e-7))


def reference_loss(estimate: np.ndarray, reference: np.ndarray) -> float:
    losses = []
    for resolution in RESOLUTIONS:
        for ours, theirs in zip(estimate, reference, strict=True):
            e, s = scipy_magnitude(ours, *resolution), scipy_magnitude(theirs, *resolution)
            convergence = np.linalg.norm(s - e) / np.linalg.norm(s)
            losses.append(convergence + np.abs(np.log(s) - np.log(e)).mean())
    return float(np.mean(losses))


def signals(samples: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((2, samples)) * np.array([[0.05], [0.3]])
    return torch.from_numpy(reference + 0.05 * rng.standard_normal(reference.shape)), torch.from_numpy(reference)


def test_resolutions_are_the_papers() -> None:
    assert RESOLUTIONS == ((1024, 400, 80), (2048, 800, 160), (512, 160, 32))


def test_over_the_batch_is_one_norm_of_all_items() -> None:
    """As DEMUCS's authors compute it: (FFT, hop, window) = (1024, 120, 600), (2048, 240, 1200), (512, 50, 240)."""
    estimate, reference = signals()
    expected = []
    for fft, hop, window in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)):
        e, s = (
            np.stack([scipy_magnitude(item, fft, window, hop) for item in each.numpy()])
            for each in (estimate, reference)
        )
        expected.append(np.linalg.norm((s - e).ravel()) / np.linalg.norm(s.ravel()) + np.abs(np.log(s / e)).mean())
    found = multi_resolution_stft_loss(estimate, reference, None, DEMUCS_RESOLUTIONS, over_batch=True)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-6)
    assert found.item() != pytest.approx(
        multi_resolution_stft_loss(estimate, reference, None, DEMUCS_RESOLUTIONS).item(), rel=1e-3
    )


def test_agrees_with_a_slow_reference() -> None:
    estimate, reference = signals()
    expected = reference_loss(estimate.numpy(), reference.numpy())
    assert multi_resolution_stft_loss(estimate, reference).item() == pytest.approx(expected, rel=1e-6)


def test_is_zero_for_a_perfect_estimate_and_blind_to_polarity() -> None:
    _, reference = signals()
    assert multi_resolution_stft_loss(reference, reference).item() == 0
    assert multi_resolution_stft_loss(-reference, reference).item() == 0


def test_an_item_counts_the_same_with_and_without_padding() -> None:
    estimate, reference = signals()
    noise = torch.randn(2, 1500, dtype=torch.float64)
    padded = torch.cat([estimate, noise], dim=1), torch.nn.functional.pad(reference, (0, 1500))
    loss = multi_resolution_stft_loss(*padded, lengths=torch.tensor([4000, 4000]))
    torch.testing.assert_close(loss, multi_resolution_stft_loss(estimate, reference))


def test_convergence_is_taken_per_item_so_a_loud_item_does_not_drown_a_quiet_one() -> None:
    estimate, reference = signals()
    apart = [multi_resolution_stft_loss(estimate[i : i + 1], reference[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(multi_resolution_stft_loss(estimate, reference), torch.stack(apart).mean())


@pytest.mark.parametrize("samples", [100, 4000])
def test_silence_has_a_finite_loss_and_gradient(samples: int) -> None:
    estimate = torch.zeros(1, samples, requires_grad=True)
    loss = multi_resolution_stft_loss(estimate, torch.zeros(1, samples))
    loss.backward()
    assert loss.item() == 0
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()
