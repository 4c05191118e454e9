"""The multi-resolution STFT loss: spectral convergence plus log-magnitude distance (Yamamoto et al., 2020).

The resolutions are those of the feature-normalization paper, not the usual 600/120, 1200/240, 240/50.
"""

from functools import cache

import torch
from torch import Tensor

from trainables.base.padding import valid_mask

Resolutions = tuple[tuple[int, int, int], ...]
RESOLUTIONS: Resolutions = ((1024, 400, 80), (2048, 800, 160), (512, 160, 32))  # (FFT size, window, hop) in samples
DEMUCS_RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))  # of Defossez et al. (2020), the usual ones
_MAGNITUDE_FLOOR = 1e-7**0.5  # so that silence has a finite logarithm, and no gradient


def multi_resolution_stft_loss(
    estimate: Tensor,
    reference: Tensor,
    lengths: Tensor | None = None,
    resolutions: Resolutions = RESOLUTIONS,
    over_batch: bool = False,
) -> Tensor:
    """Mean over resolutions and items of  || |S| - |E| ||_F / || |S| ||_F  +  mean |ln |S| - ln |E||.

    Args:
        estimate: E's waveform, (batch, samples).
        reference: S's waveform, (batch, samples).
        lengths: (batch,) valid samples of each item; frames centred beyond are excluded. None = all.
        resolutions: (FFT size, window, hop) in samples of each.
        over_batch: one norm over the whole batch in the first term, where louder items count more.

    Returns:
        A scalar. Blind to polarity, so it needs a waveform loss as well.
    """
    mask = valid_mask(reference, lengths)
    estimate, reference = estimate * mask, reference * mask
    losses = [_one_resolution(estimate, reference, lengths, *each, over_batch) for each in resolutions]
    return torch.stack(losses).mean()


def _one_resolution(
    estimate: Tensor, reference: Tensor, lengths: Tensor | None, fft: int, window: int, hop: int, over_batch: bool
) -> Tensor:
    ours, theirs = _magnitude(estimate, fft, window, hop), _magnitude(reference, fft, window, hop)
    frames = _frame_mask(ours, lengths, hop)
    dims = (0, 1, 2) if over_batch else (1, 2)
    convergence = _norm((theirs - ours) * frames, dims) / _norm(theirs * frames, dims)
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


def _norm(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Frobenius norm, of each item or of the batch; its gradient at zero is zero."""
    return torch.linalg.vector_norm(values, dim=dims)


@cache
def _hann(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.hann_window(length, dtype=dtype, device=device)
