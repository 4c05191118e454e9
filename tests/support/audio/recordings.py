"""Small trees of recordings in the folder recipe's layouts, written with soundfile."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
SPEAKERS = ("ann", "bea", "cleo", "dora")
NOISES = ("fan", "hiss", "hum")


def write_sound(path: Path, seconds: float = 0.5, rate: int = RATE, channels: int = 1, level: float = 0.1) -> None:
    """Gaussian noise that depends on the file's name only."""
    rng = np.random.default_rng(list(path.name.encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * rng.standard_normal((round(seconds * rate), channels)), rate, subtype="PCM_16")


def speech_and_noise(folder: Path, seconds: float = 0.5) -> Path:
    """Four speakers of two utterances, three noise types of one recording."""
    for speaker in SPEAKERS:
        write_sound(folder / "speech" / speaker / f"{speaker}-0.wav", seconds)
        write_sound(folder / "speech" / speaker / f"{speaker}-1.flac", 1.5 * seconds)
    for name in NOISES:
        write_sound(folder / "noise" / name / f"{name}.wav", 4 * seconds)
    return folder


def pairs(folder: Path, seconds: float = 0.5) -> Path:
    """Four speakers of two pairs; noisy = clean + something."""
    for speaker in ("p225", "p226", "p227", "p228"):
        for take in ("001", "002"):
            name = f"{speaker}_{take}.wav"
            write_sound(folder / "clean" / name, seconds)
            clean, _ = soundfile.read(folder / "clean" / name)
            (folder / "noisy").mkdir(exist_ok=True)
            noise = np.random.default_rng(1).standard_normal(len(clean))
            soundfile.write(folder / "noisy" / name, clean + 0.01 * noise, RATE)
    return folder


def write_manifest(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    """Rows of (path, speaker or noise type, split)."""
    lines = ["path,speaker_or_noise_type,split", *(",".join(row) for row in rows)]
    (folder / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
