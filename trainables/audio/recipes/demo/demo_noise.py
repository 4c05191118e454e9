"""Synthesised noises for the demo corpus: types with characters of their own, none of them in two splits.

Every generator takes (rng, samples) and returns float (samples,) at 16 kHz in any scale. Parameters are drawn
per recording, so two recordings of a type differ as two fans or two rains do.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.shards import SAMPLE_RATE

Signal = NDArray[np.float64]
Generator = Callable[[np.random.Generator, int], Signal]


def coloured(rng: np.random.Generator, samples: int, slope: float, low: float = 20.0) -> Signal:
    """Gaussian noise whose power falls by `slope` dB an octave above `low` Hz (0 white, 3 pink, 6 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequencies = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), low)
    shaped = np.fft.irfft(spectrum * (frequencies / low) ** (-slope / 6.02), samples)
    return shaped / shaped.std()


def hiss(rng: np.random.Generator, samples: int) -> Signal:
    """Steady, nearly white."""
    return coloured(rng, samples, rng.uniform(-1, 1))


def pink(rng: np.random.Generator, samples: int) -> Signal:
    """Steady, falling about 3 dB an octave."""
    return coloured(rng, samples, rng.uniform(2.5, 4))


def rumble(rng: np.random.Generator, samples: int) -> Signal:
    """Deep and steady, as behind a wall of a road."""
    return coloured(rng, samples, rng.uniform(5, 7), low=60) + 0.05 * coloured(rng, samples, 2)


def hum(rng: np.random.Generator, samples: int) -> Signal:
    """Mains hum: a harmonic series on 50 or 60 Hz over a faint hiss."""
    tones = _harmonics(rng, rng.choice([50.0, 60.0]) * np.ones(samples), count=24, decay=rng.uniform(0.6, 1.2))
    return tones / tones.std() + 0.15 * pink(rng, samples)


def fan(rng: np.random.Generator, samples: int) -> Signal:
    """Air noise that swells with the blades, and their tone."""
    blades = rng.uniform(60, 140) * (1 + 0.01 * _wander(rng, samples, 0.5))
    phase = _phase(blades)
    return coloured(rng, samples, 3.5) * (1 + 0.4 * np.sin(phase)) + 0.5 * np.sin(phase) + 0.2 * np.sin(2 * phase)


def engine(rng: np.random.Generator, samples: int) -> Signal:
    """A motor whose speed wanders: many harmonics of the firing rate, and exhaust noise in its rhythm."""
    rate = rng.uniform(25, 70) * (1 + 0.25 * _wander(rng, samples, 0.4))
    tones = _harmonics(rng, rate, count=40, decay=0.7)
    rhythm = 0.5 + 0.5 * np.maximum(np.sin(_phase(rate)), 0)
    return tones / tones.std() + 0.5 * rhythm * coloured(rng, samples, 3)


def rain(rng: np.random.Generator, samples: int) -> Signal:
    """Hundreds of drops a second on something that rings briefly, over a hiss."""
    drops = _bursts(rng, samples, rate=rng.uniform(150, 600), frequencies=(1500, 5000), seconds=0.004)
    return drops / drops.std() + rng.uniform(0.3, 0.8) * coloured(rng, samples, -1)


def wind(rng: np.random.Generator, samples: int) -> Signal:
    """Low noise in slow gusts."""
    gusts = np.exp(0.9 * _wander(rng, samples, rng.uniform(0.3, 0.8)))
    return gusts * coloured(rng, samples, rng.uniform(4, 6), low=80)


def clatter(rng: np.random.Generator, samples: int) -> Signal:
    """Dishes: ringing knocks with pauses between them."""
    knocks = _bursts(rng, samples, rate=rng.uniform(2, 5), frequencies=(600, 4000), seconds=rng.uniform(0.05, 0.12))
    return knocks / np.abs(knocks).max() + 0.003 * pink(rng, samples)


def typing(rng: np.random.Generator, samples: int) -> Signal:
    """Keys: dull clicks in uneven rhythm, with pauses."""
    clicks = _bursts(rng, samples, rate=rng.uniform(5, 9), frequencies=(300, 2500), seconds=0.012)
    return clicks / np.abs(clicks).max() + 0.004 * pink(rng, samples)


def stream(rng: np.random.Generator, samples: int) -> Signal:
    """A brook: bubbles of falling size over soft noise."""
    bubbles = _bursts(rng, samples, rate=rng.uniform(25, 60), frequencies=(350, 1400), seconds=0.03)
    return bubbles / bubbles.std() + 0.4 * coloured(rng, samples, 2)


def alarm(rng: np.random.Generator, samples: int) -> Signal:
    """A siren that sweeps up and down, with overtones."""
    time = np.arange(samples) / SAMPLE_RATE
    sweep = np.sin(2 * np.pi * rng.uniform(0.3, 1.5) * time + rng.uniform(0, 2 * np.pi))
    tones = _harmonics(rng, rng.uniform(500, 900) * 2 ** (0.4 * sweep), count=5, decay=1.0)
    return tones / tones.std() + 0.1 * pink(rng, samples)


def helicopter(rng: np.random.Generator, samples: int) -> Signal:
    """Noise chopped by a rotor."""
    phase = _phase(rng.uniform(9, 16) * (1 + 0.03 * _wander(rng, samples, 0.3)))
    return (0.1 + np.maximum(np.sin(phase), 0) ** 4) * coloured(rng, samples, rng.uniform(3, 5), low=60)


def crackle(rng: np.random.Generator, samples: int) -> Signal:
    """A worn record: sharp cracks of every strength over a quiet bed."""
    places = rng.random(samples) < rng.uniform(20, 60) / SAMPLE_RATE
    cracks = places * rng.standard_cauchy(samples).clip(-20, 20)
    bed = coloured(rng, samples, 3)
    return np.convolve(cracks, 0.6 ** np.arange(32))[:samples] + 0.15 * bed


def surf(rng: np.random.Generator, samples: int) -> Signal:
    """Waves that break on a beach, one after another."""
    time = np.arange(samples) / SAMPLE_RATE
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.25, 0.5) * time + rng.uniform(0, 2 * np.pi))
    return (0.15 + swell**3) * coloured(rng, samples, rng.uniform(1, 2.5), low=100)


def crickets(rng: np.random.Generator, samples: int) -> Signal:
    """A few insects, each chirping at a pitch and in a rhythm of its own."""
    time, total = np.arange(samples) / SAMPLE_RATE, np.zeros(samples)
    for _ in range(rng.integers(2, 5)):
        chirps, pulses, pitch = (
            np.sin(2 * np.pi * rng.uniform(*rates) * time + rng.uniform(0, 2 * np.pi))
            for rates in ((1, 3), (25, 40), (3000, 5500))
        )
        total += rng.uniform(0.4, 1.0) * np.maximum(chirps, 0) * np.maximum(pulses, 0) * pitch
    return total / total.std() + 0.1 * pink(rng, samples)


def drill(rng: np.random.Generator, samples: int) -> Signal:
    """Blows on stone, a dozen or two a second, over the motor behind them."""
    phase = _phase(rng.uniform(12, 25) * (1 + 0.05 * _wander(rng, samples, 0.5)))
    blows = np.exp(-rng.uniform(3, 6) * (phase % (2 * np.pi))) * coloured(rng, samples, rng.uniform(0, 2), low=200)
    motor = _harmonics(rng, rng.uniform(80, 160) * np.ones(samples), count=20, decay=0.8)
    return blows / blows.std() + 0.3 * motor / motor.std()


def babble(voices: list[Signal]) -> Generator:
    """Several voices at once; `voices` are long recordings, each entered at a random place."""

    def talk(rng: np.random.Generator, samples: int) -> Signal:
        starts = [int(rng.integers(len(voice))) for voice in voices]
        looped = [
            np.resize(np.roll(voice / voice.std(), -start), samples)
            for voice, start in zip(voices, starts, strict=True)
        ]
        return np.sum(looped, axis=0) + 0.05 * pink(rng, samples)

    return talk


BABBLE = "babble"

# By type; babble is missing, since it needs voices.
GENERATORS: dict[str, Generator] = {
    generate.__name__: generate
    for generate in (
        hiss,
        pink,
        hum,
        fan,
        engine,
        rain,
        wind,
        clatter,
        rumble,
        typing,
        stream,
        helicopter,
        crackle,
        alarm,
        surf,
        crickets,
        drill,
    )
}
TYPES: dict[str, tuple[str, ...]] = {
    "train": ("hiss", "pink", "hum", "fan", "engine", "rain", "wind", "clatter", BABBLE),
    "valid": ("rumble", "typing", "stream"),
    # Six, since how far a model copes with a noise that it has never heard is a matter of luck, by type and by seed.
    "test": ("helicopter", "crackle", "alarm", "surf", "crickets", "drill"),
}


def _phase(frequency: Signal) -> Signal:
    return 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE


def _harmonics(rng: np.random.Generator, frequency: Signal, count: int, decay: float) -> Signal:
    """Harmonics of a wandering frequency (samples,), the n-th about n**-decay strong, below 7 kHz."""
    numbers = [n for n in range(1, count + 1) if n * frequency.max() < 7000]
    strengths = [rng.uniform(0.5, 1.5) * n**-decay for n in numbers]
    offsets = rng.uniform(0, 2 * np.pi, len(numbers))
    # A polynomial in exp(i phase), by Horner's rule: a sine for every harmonic would take several times as long.
    turn = np.exp(1j * _phase(frequency))
    total = np.zeros_like(turn)
    for strength, offset in zip(reversed(strengths), reversed(offsets), strict=True):
        total = (total + strength * np.exp(1j * offset)) * turn
    return total.imag


def _wander(rng: np.random.Generator, samples: int, rate: float) -> Signal:
    """A smooth random curve around 0, about 1 strong, that turns `rate` times a second."""
    count = max(3, round(rate * samples / SAMPLE_RATE) + 2)
    return np.interp(np.linspace(0, count - 1, samples), np.arange(count), rng.standard_normal(count).clip(-2, 2))


def _bursts(
    rng: np.random.Generator, samples: int, rate: float, frequencies: tuple[float, float], seconds: float
) -> Signal:
    """About `rate` tones a second at random times, pitches and strengths, dying away in `seconds`."""
    total = np.zeros(samples)
    time = np.arange(round(6 * seconds * SAMPLE_RATE)) / SAMPLE_RATE
    decay = np.exp(-time / seconds)
    for start in rng.integers(samples, size=max(1, rng.poisson(rate * samples / SAMPLE_RATE))):
        pitch = np.exp(rng.uniform(np.log(frequencies[0]), np.log(frequencies[1])))
        tone = rng.uniform(0.2, 1.0) * decay * np.sin(2 * np.pi * pitch * time)
        total[start : start + len(tone)] += tone[: samples - start]
    return total
