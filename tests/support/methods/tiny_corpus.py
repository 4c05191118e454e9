"""A corpus of a few seconds, made by the folder recipe from synthesised files: real in all but content."""

from pathlib import Path

import numpy as np
import soundfile

from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.recipes import folder as folder_recipe

RATE = 16000
SPEAKERS = ("ann", "bea", "cleo", "dora", "eve")
NOISES = ("hum", "rain", "hiss", "fan")


def make_tiny_corpus(folder: Path, speakers: int = len(SPEAKERS)) -> Corpus:
    """A few "speakers" (modulated harmonics) of two utterances, four types of noise.

    With fifteen, valid and test hold two of them each: enough for a mixture of voices.
    """
    rng = np.random.default_rng(0)
    names = [*SPEAKERS, *(f"extra{number}" for number in range(speakers - len(SPEAKERS)))]
    for number, speaker in enumerate(names):
        for take in range(2):
            _write(folder / "raw/speech" / speaker / f"{speaker}-{take}.wav", _voice(rng, 110.0 + 30 * number))
    for number, kind in enumerate(NOISES):
        _write(folder / "raw/noise" / kind / f"{kind}.wav", _noise(rng, smoothing=2**number))
    return write_corpus(folder_recipe.list_source(folder / "raw"), folder / "corpus", cache=folder / "cache")


def _voice(rng: np.random.Generator, pitch: float, seconds: float = 1.5) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = [np.sin(2 * np.pi * pitch * n * time + rng.uniform(0, 6)) / n for n in range(1, 12)]
    syllables = np.clip(np.sin(2 * np.pi * 3 * time + rng.uniform(0, 6)), 0.02, None)
    return 0.15 * np.sum(harmonics, axis=0) * syllables


def _noise(rng: np.random.Generator, smoothing: int, seconds: float = 2.0) -> np.ndarray:
    white = rng.standard_normal(int(seconds * RATE) + smoothing)
    return 0.05 * np.convolve(white, np.ones(smoothing) / smoothing**0.5, mode="valid")


def _write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.astype(np.float32), RATE)
