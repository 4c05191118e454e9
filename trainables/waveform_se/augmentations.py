"""What the authors of DEMUCS do to a training batch: Remix, BandMask, Shift and RevEcho, in this order.

Defossez, Synnaeve and Adi, "Real time speech enhancement in the waveform domain", Interspeech 2020, as in their code
(facebookresearch/denoiser, denoiser/augment.py). Each acts on the noise and the clean speech apart. Draws are keyed by
(seed, purpose, step); padding stays silent.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.base.padding import valid_mask
from trainables.base.randomness import generator
from trainables.waveform_se.config import BANDS, SAMPLE_RATE, WaveformSEConfig

if TYPE_CHECKING:
    from trainables.audio.examples.mixing import Batch

_LOWEST = 40.0  # Hz, of the mel scale of bands
_ECHOES = 3  # trains of echoes
_FIRST_GAIN = 0.3  # of the first echo, at most
_FIRST_DELAY = (0.01, 0.03)  # s
_RT60 = (0.3, 1.3)  # s
_LAST = 1e-3  # of the first echo's gain, where a train ends
_JITTER = 0.1
_KEPT = 0.1  # of the speech's echoes stays in the reference


def augmented(batch: "Batch", config: WaveformSEConfig, seed: int, step: int, samples: int) -> "Batch":
    """The batch of a step as `config` has it changed, cut to `samples` where it was drawn longer for Shift."""
    if not config.augments:
        return batch
    lengths, clean = batch.lengths, batch.clean
    noise = batch.noisy - clean
    if config.remix:
        noise = remixed(noise, generator(seed, "remix", step)) * valid_mask(clean, lengths)
    if config.band_mask:
        low, high = drawn_band(config.band_mask, generator(seed, "band mask", step))
        noise, clean = (without_band(each, low, high) * valid_mask(each, lengths) for each in (noise, clean))
    if config.shift_seconds:
        starts = drawn_starts(lengths, samples, generator(seed, "shift", step))
        noise, clean = (shifted(each, starts, samples) for each in (noise, clean))
        lengths = (lengths - starts).clamp(max=samples)
    rng = generator(seed, "echo", step)
    if rng.random() < config.echo:
        noise, clean = (each * valid_mask(each, lengths) for each in echoing(noise, clean, rng))
    return replace(batch, noisy=clean + noise, clean=clean, lengths=lengths)


def remixed(noise: Tensor, rng: np.random.Generator) -> Tensor:
    """(batch, samples): every noise in another item, or in its own."""
    return noise[torch.from_numpy(rng.permutation(len(noise)))]


def drawn_band(widest: float, rng: np.random.Generator) -> tuple[float, float]:
    """Lower and upper end, in cycles per sample: two of BANDS points on the mel scale from 40 Hz on.

    The upper end lies fewer than `widest` x BANDS points above.
    """
    lowest, highest = (2595.0 * math.log10(1.0 + hertz / 700.0) for hertz in (_LOWEST, SAMPLE_RATE / 2))
    mels = np.linspace(lowest, highest, BANDS)
    points = 700.0 * (10.0 ** (mels / 2595.0) - 1.0) / SAMPLE_RATE
    low = int(rng.integers(BANDS))
    high = int(rng.integers(low, min(BANDS, low + int(widest * BANDS))))
    return float(points[low]), float(points[high])


def without_band(wave: Tensor, low: float, high: float) -> Tensor:
    """(batch, samples) without what lies between `low` and `high`, both in cycles per sample.

    The difference of two low-pass filters, Hamming-windowed sincs, is subtracted, with zeros before and after the wave.
    """
    width = int(2 / low)
    times = torch.arange(-width, width + 1, dtype=torch.float64)
    window = torch.hamming_window(2 * width + 1, periodic=False, dtype=torch.float64)
    upper, lower = (2 * cutoff * torch.sinc(2 * cutoff * times) * window for cutoff in (high, low))
    return wave - _convolved(wave, (upper - lower).to(wave), before=width)


def drawn_starts(lengths: Tensor, samples: int, rng: np.random.Generator) -> Tensor:
    """(batch,): where each item is to begin, so that no valid sample is lost beyond the `samples` that are kept."""
    spare = (lengths - samples).clamp(min=1)  # a start below it, as in the authors' code
    return (torch.from_numpy(rng.random(len(lengths))) * spare).long()


def shifted(wave: Tensor, starts: Tensor, samples: int) -> Tensor:
    """(batch, longer) -> (batch, samples), each item from its own start on."""
    return wave.gather(1, starts[:, None] + torch.arange(samples))


def echoing(noise: Tensor, clean: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Both (batch, samples) in a room of one draw: all echoes join the noise, but for a tenth of the speech's."""
    first_gain = rng.random() * _FIRST_GAIN
    delay, rt60 = rng.uniform(*_FIRST_DELAY), rng.uniform(*_RT60)
    samples = noise.shape[-1]
    of_noise, of_clean = (
        _convolved(wave, echo_response(samples, first_gain, delay, rt60, rng).to(wave)) for wave in (noise, clean)
    )
    return noise + of_noise + (1.0 - _KEPT) * of_clean, clean + _KEPT * of_clean


def echo_response(samples: int, first_gain: float, delay: float, rt60: float, rng: np.random.Generator) -> Tensor:
    """(samples,): the gains of three trains of echoes, without the direct sound.

    Each train repeats about every `delay` seconds and decays by 60 dB in about `rt60`; both jitter by a tenth.
    """
    response = torch.zeros(samples, dtype=torch.float64)
    for _ in range(_ECHOES):
        place, gain = 0, 1.0
        while gain > _LAST:
            place += 1 + int((1.0 + _JITTER * rng.uniform(-1.0, 1.0)) * delay * SAMPLE_RATE)
            if place < samples:
                response[place] += first_gain * gain
            gain *= 10.0 ** (-3.0 * (1.0 + _JITTER * rng.uniform(-1.0, 1.0)) * delay / rt60)
    return response


def _convolved(wave: Tensor, taps: Tensor, before: int = 0) -> Tensor:
    """(batch, samples) with (taps,), of which `before` lie ahead of a sample; as long as the wave."""
    samples = wave.shape[-1]
    length = samples + len(taps) - 1
    spectrum = torch.fft.rfft(wave, length) * torch.fft.rfft(taps, length)
    return torch.fft.irfft(spectrum, length)[..., before : before + samples]
