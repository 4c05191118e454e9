"""Moving a waveform's pitch and keeping its length: a phase vocoder stretches it, resampling undoes the stretch.

Flanagan and Golden, "Phase vocoder", 1966; as the PitchShift of PyTorch's audio library, which SCORE (Meghanani and
Hain, ICASSP 2024) uses with two semitones up or down: frames of 512 samples, a quarter apart.
"""

import math
from fractions import Fraction

import torch
from torch import Tensor

from trainables.audio.speed import resampled
from trainables.base.errors import UserError

MOST_SEMITONES = 12.0
_SIZE, _HOP = 512, 128


def shifted_pitch(wave: Tensor, semitones: float) -> Tensor:
    """(batch, samples) -> (batch, samples), a tone of f Hz now at f 2^(semitones / 12), to 0.01 %.

    Differentiable in the magnitudes, phases taken as they are: a phase's own gradient is one over its magnitude, and so
    quiet bins, whose phases are chance, would outweigh all others.

    Raises:
        UserError: more than an octave.
    """
    if not abs(semitones) <= MOST_SEMITONES:
        raise UserError(f"pitch shift of {semitones} semitones: must lie within -{MOST_SEMITONES} and {MOST_SEMITONES}")
    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(100)
    if ratio == 1:
        return wave
    samples = wave.shape[-1]
    stretched = _stretched(wave, ratio)
    return resampled(stretched, ratio.numerator, ratio.denominator)[..., :samples]


def _stretched(wave: Tensor, ratio: Fraction) -> Tensor:
    """(batch, ceil(samples ratio)) at the same pitch."""
    window = torch.hann_window(_SIZE, dtype=wave.dtype, device=wave.device)
    edge = "reflect" if wave.shape[-1] > _SIZE // 2 else "constant"  # too short to be reflected
    spectrum = torch.stft(wave, _SIZE, _HOP, window=window, pad_mode=edge, return_complex=True)
    length = math.ceil(wave.shape[-1] * ratio)
    return torch.istft(_revoiced(spectrum, ratio), _SIZE, _HOP, window=window, length=length)


def _revoiced(spectrum: Tensor, ratio: Fraction) -> Tensor:
    """(batch, bins, frames) -> (batch, bins, about frames ratio): magnitudes interpolated, phases led on."""
    bins, frames = spectrum.shape[-2:]
    times = torch.arange(math.ceil(frames * ratio), dtype=torch.float64, device=spectrum.device) / float(ratio)
    before = times.floor().long().clamp_max(frames - 1)
    share = (times - before).to(spectrum.real.dtype)
    padded = torch.nn.functional.pad(spectrum, (0, 2))
    here, following = padded[..., before], padded[..., before + 1]
    magnitude = (1 - share) * here.abs() + share * following.abs()
    expected = torch.linspace(0, math.pi * _HOP, bins, dtype=magnitude.dtype, device=spectrum.device)[:, None]
    turn = following.angle() - here.angle() - expected
    step = turn - 2 * math.pi * torch.round(turn / (2 * math.pi)) + expected
    phase = torch.cat([spectrum[..., :1].angle(), step[..., :-1]], dim=-1).cumsum(-1).detach()
    return torch.polar(magnitude, phase)
