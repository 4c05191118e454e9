"""Speed by resampling: lengths, tones, and the waveforms of soxr and scipy."""

import numpy as np
import pytest
import soxr
import torch
from scipy.signal import resample_poly
from torch import Tensor

from trainables.audio.speed import at_speed, resampled, samples_at, speed_ratio
from trainables.base.errors import UserError

RATE = 16_000
FACTORS = [0.5, 0.8, 0.85, 0.93, 1.05, 1.1, 1.2, 2.0]


def tone(hertz: float, samples: int) -> Tensor:
    return torch.sin(2 * torch.pi * hertz / RATE * torch.arange(samples, dtype=torch.float64))


def speech_like(samples: int) -> Tensor:
    """Noise below 2.5 kHz, faded in and out."""
    spectrum = np.fft.rfft(np.random.default_rng(5).normal(size=samples))
    spectrum[np.fft.rfftfreq(samples, 1 / RATE) > 2500] = 0
    return torch.from_numpy(np.fft.irfft(spectrum, samples) * np.hanning(samples))


@pytest.mark.parametrize("factor", FACTORS)
def test_a_tone_moves_and_keeps_its_amplitude(factor: float) -> None:
    found = at_speed(tone(1000, 8000), factor)
    assert len(found) == samples_at(factor, 8000)
    expected = tone(1000 * factor, len(found))
    assert (found - expected)[200:-200].abs().max() < 1e-3


@pytest.mark.parametrize("factor", FACTORS)
def test_it_is_what_soxr_and_scipy_give(factor: float) -> None:
    """Within the band that all keep; -60 dB apart at most."""
    wave = speech_like(8000)
    ratio = speed_ratio(factor)
    found = at_speed(wave, factor).numpy()
    others = [
        soxr.resample(wave.numpy(), ratio.numerator, ratio.denominator, quality="VHQ"),
        resample_poly(wave.numpy(), ratio.denominator, ratio.numerator, window=("kaiser", 12.0)),
    ]
    for other in others:
        length = min(len(found), len(other))
        assert abs(len(found) - len(other)) <= 1
        difference = found[:length] - other[:length]
        assert np.sum(difference**2) < 1e-6 * np.sum(other**2)


def test_what_the_lower_rate_cannot_hold_is_filtered_out() -> None:
    assert at_speed(tone(7000, 8000), 2.0)[200:-200].abs().max() < 1e-3
    assert at_speed(tone(7000, 8000), 0.9)[200:-200].abs().max() > 0.99


@pytest.mark.parametrize(("factor", "samples", "left"), [(0.8, 64_000, 80_000), (1.2, 64_000, 53_334), (1, 7, 7)])
def test_lengths(factor: float, samples: int, left: int) -> None:
    assert samples_at(factor, samples) == left
    assert at_speed(torch.zeros(2, samples), factor).shape == (2, left)


@pytest.mark.parametrize("samples", [1, 2, 19, 20, 21, 399])
@pytest.mark.parametrize("factor", FACTORS)
def test_short_waves_have_their_length(samples: int, factor: float) -> None:
    assert at_speed(torch.ones(samples), factor).shape == (samples_at(factor, samples),)


def test_a_batch_is_what_its_waves_are() -> None:
    waves = torch.randn(2, 3, 500, generator=torch.Generator().manual_seed(0))
    found = at_speed(waves, 0.9)
    assert found.dtype == torch.float32
    for row in range(2):
        for column in range(3):
            torch.testing.assert_close(found[row, column], at_speed(waves[row, column], 0.9))


def test_speed_one_is_the_wave_itself() -> None:
    wave = torch.randn(50)
    assert at_speed(wave, 1.0) is wave
    assert torch.equal(at_speed(wave, 0.999), wave)  # to a hundredth
    torch.testing.assert_close(resampled(wave.double(), 3, 3), wave.double(), atol=0.2, rtol=1)


def test_there_and_back() -> None:
    wave = speech_like(8000)
    back = resampled(resampled(wave, 4, 5), 5, 4)
    assert (back - wave)[100:-100].abs().max() < 1e-3 * wave.abs().max()


def test_gradients_pass() -> None:
    wave = torch.randn(40, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: at_speed(each, 1.25), (wave,))


@pytest.mark.parametrize("factor", [0.49, 2.01, 0.0, -1.0, float("nan"), float("inf")])
def test_speeds_outside_are_refused(factor: float) -> None:
    with pytest.raises(UserError, match=r"0\.5 and 2"):
        at_speed(torch.zeros(10), factor)
