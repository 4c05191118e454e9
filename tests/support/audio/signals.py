"""Signals for the metric tests: synthetic speech, always there, and the real corpus where it is present."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import REPOSITORY

RATE = 16000
CORPUS = Path(os.environ.get("SPEECH_SWEEP_CORPUS", REPOSITORY.parent / "shared" / "corpus"))

needs_corpus = pytest.mark.skipif(
    not (CORPUS / "MANIFEST.csv").exists(), reason="no real corpus: set SPEECH_SWEEP_CORPUS to its folder"
)


def speech_like(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Voiced syllables, 4 a second, with moving formants, pauses and a faint noise floor; float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    first, second = 500 + 200 * np.sin(2 * np.pi * 1.1 * time), 1500 + 500 * np.sin(2 * np.pi * 0.8 * time)
    voice = np.zeros_like(time)
    for harmonic in range(1, 40):
        hz = harmonic * pitch
        level = np.exp(-(((hz - first) / 150) ** 2)) + 0.5 * np.exp(-(((hz - second) / 250) ** 2)) + 0.02
        voice += level * np.sin(harmonic * phase)
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, None) ** 0.5
    floor = 1e-4 * rng.standard_normal(len(time))
    return (0.1 * voice * syllables + floor).astype(np.float32)


def noisy(clean: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    """`clean` plus brownish noise at the given SNR; float32."""
    rng = np.random.default_rng([seed, 1])
    noise = np.convolve(rng.standard_normal(len(clean)), 0.8 ** np.arange(20), mode="same")
    gain = np.std(clean) / np.std(noise) * 10 ** (-snr_db / 20)
    return (clean + gain * noise).astype(np.float32)


def real_pair(index: int, snr_db: float, seconds: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(clean, noisy) from the real corpus, a different speaker and noise for each index."""
    speech = sorted((CORPUS / "speech").rglob("*.flac"))
    noises = sorted((CORPUS / "noise").rglob("*.flac"))
    samples = round(seconds * RATE)
    clean = soundfile.read(speech[37 * index % len(speech)], dtype="float32", stop=samples)[0]
    noise = np.resize(soundfile.read(noises[53 * index % len(noises)], dtype="float32")[0], len(clean))
    gain = np.std(clean) / np.std(noise) * 10 ** (-snr_db / 20)
    return clean, (clean + gain * noise).astype(np.float32)
