"""Pitch: tones move, lengths stay, and the waveform is torchaudio's."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from trainables.audio.pitch import shifted_pitch
from trainables.base.errors import UserError

GOLDEN = json.loads((Path(__file__).parent / "golden_pitch.json").read_text())["shifted"]
RATE = 16_000


def tone(hertz: float, samples: int, start: float = 0.0) -> Tensor:
    return torch.sin(2 * math.pi * hertz / RATE * torch.arange(samples, dtype=torch.float64) + start)


def peak(wave: Tensor) -> float:
    """The loudest frequency in Hz."""
    spectrum = torch.fft.rfft(wave * torch.hann_window(len(wave), dtype=wave.dtype), 8 * len(wave)).abs()
    return float(spectrum.argmax()) * RATE / (8 * len(wave))


@pytest.mark.parametrize("semitones", [-12, -7.5, -2, 2, 5, 12])
def test_a_tone_moves_and_the_length_stays(semitones: float) -> None:
    found = shifted_pitch(tone(800, 16_000)[None], semitones)[0]
    assert len(found) == 16_000
    assert peak(found[2000:-2000]) == pytest.approx(800 * 2 ** (semitones / 12), rel=3e-3)


@pytest.mark.parametrize("semitones", GOLDEN)
def test_it_is_what_torchaudio_gives(semitones: str) -> None:
    """Its kernel for resampling is shorter."""
    wave = (tone(440, 3200) + 0.5 * tone(1310, 3200, 1)) * torch.hann_window(3200, dtype=torch.float64)
    found = shifted_pitch(wave[None], float(semitones))[0, ::40]
    expected = torch.tensor(GOLDEN[semitones], dtype=torch.float64)
    assert (found - expected).square().sum() < 1e-3 * expected.square().sum()


@pytest.mark.parametrize("semitones", [-2.0, 2.0])
def test_the_gradient_is_that_of_level_and_never_of_chance(semitones: float) -> None:
    """Twice as loud is twice the output, so <gradient, wave> = <weight, output>; quiet bins don't drown it."""
    wave = tone(440, 4000)[None] + 1e-4 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    wave[:, 3000:] = 0.0
    wave.requires_grad_()
    weight = torch.randn(1, 4000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = shifted_pitch(wave, semitones)
    (found * weight).sum().backward()
    assert wave.grad is not None
    along = (wave.grad * wave.detach()).sum()
    assert float(along) == pytest.approx(float((found.detach() * weight).sum()))
    assert float(wave.grad.norm()) < float(weight.norm())


def test_no_shift_is_the_wave_itself() -> None:
    wave = torch.randn(2, 700)
    assert shifted_pitch(wave, 0) is wave


@pytest.mark.parametrize("samples", [1, 100, 256, 257, 1001])
def test_any_length(samples: int) -> None:
    found = shifted_pitch(torch.randn(2, samples), 2)
    assert found.shape == (2, samples)
    assert found.isfinite().all()


@pytest.mark.parametrize("semitones", [12.1, -13, float("nan")])
def test_more_than_an_octave_is_refused(semitones: float) -> None:
    with pytest.raises(UserError, match="semitones"):
        shifted_pitch(torch.zeros(1, 600), semitones)
