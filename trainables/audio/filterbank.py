"""Kaldi's log mel filterbank on the STFT's grid of frames: the front end of APC's weights (s3prl).

25 ms windows every 10 ms at 16 kHz. Of each: constant offset removed, pre-emphasis of 0.97, Hamming window, FFT of 512,
80 bands of the power spectrum from 20 Hz to 8 kHz, triangular on Kaldi's mel scale, natural logarithm. Kaldi's first
window begins with the first sample; here frame t is centred at sample 160 t, with reflection at the ends, where the
complex mask has its frames too (features.py).
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.audio.features import HOP, MEL_BANDS, N_FFT, SAMPLE_RATE, frame_count

FFT = 512
PRE_EMPHASIS = 0.97
LOWEST = 20.0  # Hz
_SHORTEST = N_FFT // 2 + 1  # samples that can be reflected


def log_filterbank(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) -> (batch, 1 + samples // 160, 80), no CMVN.

    With `lengths` (batch,) every item is reflected at its own end, as it is alone; frames beyond are zero.
    """
    if lengths is not None:
        frames, counts = frame_count(wave.shape[-1]), lengths.tolist()
        alone = [log_filterbank(item[None, : max(count, _SHORTEST)]) for item, count in zip(wave, counts, strict=True)]
        kept = [each[:, : frame_count(count)] for each, count in zip(alone, counts, strict=True)]
        return torch.cat([F.pad(each, (0, 0, 0, frames - each.shape[1])) for each in kept])
    with torch.autocast(wave.device.type, enabled=False):  # a logarithm of rounded powers would be noise
        reflected = F.pad(wave[:, None], (N_FFT // 2, N_FFT // 2), mode="reflect")[:, 0]
        return frame_energies(reflected.unfold(-1, N_FFT, HOP))


def frame_energies(windows: Tensor) -> Tensor:
    """Windows of 25 ms, (..., 400) -> their log energies in 80 bands, (..., 80)."""
    centred = windows - windows.mean(dim=-1, keepdim=True)
    before = torch.cat([centred[..., :1], centred[..., :-1]], dim=-1)
    window = torch.hamming_window(N_FFT, periodic=False, dtype=windows.dtype, device=windows.device)
    spectrum = torch.fft.rfft((centred - PRE_EMPHASIS * before) * window, n=FFT)
    energies = torch.view_as_real(spectrum).square().sum(dim=-1) @ _bands().to(windows)
    return torch.log(energies.clamp_min(torch.finfo(torch.float32).eps))


@cache
def _bands() -> Tensor:
    """(257, 80): triangles in mel = 1127 ln(1 + f / 700)."""
    lowest, highest, *_ = _mel(torch.tensor([LOWEST, SAMPLE_RATE / 2], dtype=torch.float64))
    corners = torch.linspace(float(lowest), float(highest), MEL_BANDS + 2, dtype=torch.float64)
    bins = _mel(torch.arange(FFT // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / FFT)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return torch.minimum(rising, falling).clamp(min=0.0).to(torch.float32)


def _mel(hertz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hertz / 700.0)
