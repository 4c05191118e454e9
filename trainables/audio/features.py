"""Spectral features: the STFT grid of the complex mask and log-mel features on the same grid.

The front end of Mockingjay and TERA (s3prl): 25 ms periodic Hann windows every 10 ms at 16 kHz, centred,
80 HTK mel bands of the power spectrum, natural logarithm, mean and variance normalization.
"""

from functools import cache
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.base.padding import valid_mask

SAMPLE_RATE = 16_000  # Hz
N_FFT = 400  # 25 ms
HOP = 160  # 10 ms
BINS = N_FFT // 2 + 1
MEL_BANDS = 80
FEATURE_DECIBELS = -25.0  # level of a waveform before its features are taken: dB of its RMS
FEATURE_LEVEL = 10 ** (FEATURE_DECIBELS / 20)
LOG_EPS = 1e-10
_SHORTEST = N_FFT // 2 + 1  # samples that can be reflected

Count = TypeVar("Count", int, Tensor)


def stft(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) -> complex (batch, 201, 1 + samples // 160), centred with reflection.

    With `lengths` (batch,) every item is reflected at its own end, as it is alone; frames beyond are zero.
    """
    if lengths is not None:
        frames, counts = frame_count(wave.shape[-1]), lengths.tolist()
        alone = [stft(item[None, : max(count, _SHORTEST)]) for item, count in zip(wave, counts, strict=True)]
        kept = [each[..., : frame_count(count)] for each, count in zip(alone, counts, strict=True)]
        return torch.cat([F.pad(each, (0, frames - each.shape[-1])) for each in kept])
    window = torch.hann_window(N_FFT, dtype=wave.dtype, device=wave.device)
    return torch.stft(wave, N_FFT, HOP, N_FFT, window, center=True, pad_mode="reflect", return_complex=True)


def istft(spectrum: Tensor, samples: int, lengths: Tensor | None = None) -> Tensor:
    """The inverse of `stft`: complex (batch, 201, frames) -> (batch, samples), zeros beyond `lengths`."""
    if lengths is not None:
        each = zip(spectrum, lengths.tolist(), strict=True)
        alone = [istft(item[None, :, : frame_count(length)], length) for item, length in each]
        return torch.cat([F.pad(wave, (0, samples - wave.shape[-1])) for wave in alone])
    window = torch.hann_window(N_FFT, dtype=spectrum.real.dtype, device=spectrum.device)
    return torch.istft(spectrum, N_FFT, HOP, N_FFT, window, center=True, length=samples)


def frame_count(samples: Count) -> Count:
    """Frames of `stft` for that many samples."""
    return 1 + samples // HOP


@cache
def mel_filterbank() -> Tensor:
    """(201, 80) triangular filters on the HTK mel scale, 0 to 8000 Hz, not normalised."""
    highest = 2595.0 * torch.log10(torch.tensor(1.0 + SAMPLE_RATE / 2 / 700.0, dtype=torch.float64))
    mels = torch.linspace(0.0, 1.0, MEL_BANDS + 2, dtype=torch.float64) * highest
    corners = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    bins = torch.linspace(0.0, SAMPLE_RATE / 2, BINS, dtype=torch.float64)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return torch.minimum(rising, falling).clamp(min=0.0).to(torch.float32)


def log_mel(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) -> (batch, frames, 80), every utterance scaled to -25 dB RMS first, no CMVN.

    `lengths` (batch,) are the valid samples of each zero-padded utterance: they set its level and its last frame.
    """
    leveled = wave * (FEATURE_LEVEL / (rms(wave, lengths) + LOG_EPS))
    with torch.autocast(wave.device.type, enabled=False):  # a logarithm of rounded powers would be noise
        power = torch.view_as_real(stft(leveled, lengths)).square().sum(dim=-1)
        return torch.log(power.transpose(1, 2) @ mel_filterbank().to(wave) + LOG_EPS)


def utterance_cmvn(features: Tensor, frames: Tensor | None = None) -> Tensor:
    """Zero mean and unit variance over the time of each utterance, padding left out.

    `features` (batch, frames, bands); `frames` (batch,) are the valid frames. Unbiased deviation.
    """
    valid = valid_mask(features[..., 0], frames)[..., None]
    count = valid.sum(dim=1, keepdim=True)
    mean = (features * valid).sum(dim=1, keepdim=True) / count
    centred = (features - mean) * valid
    variance = centred.square().sum(dim=1, keepdim=True) / (count - 1).clamp(min=1)
    return centred / (variance.sqrt() + LOG_EPS)


def corpus_cmvn(features: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Features minus a corpus' mean over its deviation, both (bands,)."""
    return (features - mean) / (std + LOG_EPS)


def rms(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) -> (batch, 1) root mean square over the valid samples; padding must be zero."""
    if lengths is None:
        return wave.square().mean(dim=-1, keepdim=True).sqrt()
    return (wave.square().sum(dim=-1, keepdim=True) / lengths[:, None]).sqrt()
