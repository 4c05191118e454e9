"""The multi-resolution STFT loss: spectral convergence plus log-magnitude distance (Yamamoto et al., 2020).

The resolutions are those of the feature-normalization paper, not the usual 600/120, 1200/240, 240/50.
"""

from functools import cache

import torch
from torch import Tensor

from trainables.base.padding import valid_mask

RESOLUTIONS = ((1024, 400, 80), (2048, 800, 160), (512, 160, 32))  # (FFT size, window, hop) in samples
_MAGNITUDE_FLOOR = 1e-7**0.5  # so that silence has a finite logarithm, and no gradient


def multi_resolution_stft_loss(estimate: Tensor, reference: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Mean over resolutions and items of  || |S| - |E| ||_F / || |S| ||_F  +  mean |ln |S| - ln |E||.

    Args:
        estimate: E's waveform, (batch, samples).
        reference: S's waveform, (batch, samples).
        lengths: (batch,) valid samples of each item; frames centred beyond are excluded. None = all.

    Returns:
        A scalar. Blind to polarity, so it needs a waveform loss as well.
    """
    mask = valid_mask(reference, lengths)
    estimate, reference = estimate * mask, reference * mask
    losses = [_one_resolution(estimate, reference, lengths, *resolution) for resolution in RESOLUTIONS]
    return torch.stack(losses).mean()


def _one_resolution(
    estimate: Tensor, reference: Tensor, lengths: Tensor | None, fft: int, window: int, hop: int
) -> Tensor:
    ours, theirs = _magnitude(estimate, fft, window, hop), _magnitude(reference, fft, window, hop)
    frames = _frame_mask(ours, lengths, hop)
    convergence = _norm((theirs - ours) * frames) / _norm(theirs * frames)
    distances = (theirs.log() - ours.log()).abs().mean(-2, keepdim=True) * frames
    return (convergence + distances.sum((-2, -1)) / frames.sum((-2, -1))).mean()


def _magnitude(signal: Tensor, fft: int, window: int, hop: int) -> Tensor:
    """(batch, samples) -> (batch, bins, frames), frame t centred on sample t * hop."""
    spectrum = torch.stft(
        signal,
        fft,
        hop_length=hop,
        win_length=window,
        window=_hann(window, signal.dtype, signal.device),
        pad_mode="constant",  # takes clips shorter than half a window, which reflection can't
        return_complex=True,
    )
    return spectrum.abs().clamp_min(_MAGNITUDE_FLOOR)


def _frame_mask(magnitude: Tensor, lengths: Tensor | None, hop: int) -> Tensor:
    """(batch, 1, frames): 1 where the frame's centre lies within the item."""
    batch, _, frames = magnitude.shape
    if lengths is None:
        return magnitude.new_ones(batch, 1, frames)
    centres = torch.arange(frames, device=magnitude.device) * hop
    return (centres <= lengths.to(magnitude.device).view(-1, 1, 1)).to(magnitude.dtype)


def _norm(values: Tensor) -> Tensor:
    """Frobenius norm per item; its gradient at zero is zero."""
    return torch.linalg.vector_norm(values, dim=(-2, -1))


@cache
def _hann(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.hann_window(length, dtype=dtype, device=device)
