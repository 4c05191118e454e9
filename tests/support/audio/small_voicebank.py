"""A small set in VoiceBank-DEMAND's layout with figures of its own, and the ways in which one gets read wrongly."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tests.support.audio.signals import RATE, speech_like
from trainables.audio.published.figures import Published
from trainables.audio.recipes import voicebank
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.voicebank import TrainingSet

TRAIN_SPEAKERS, TEST_SPEAKERS = ("p226", "p287", "p228", "p230"), ("p232", "p257")
TAKES = {"train": 2, "test": 10}
SECONDS = 1.2
Pair = tuple[np.ndarray, np.ndarray]  # clean and noisy, (samples,) or (samples, channels)
Fault = Callable[[dict[str, Pair]], dict[str, Pair]]  # of the test set, by name


def pairs(split: str) -> dict[str, Pair]:
    """Speech in white noise, at SNRs of 0 to 15 dB in train and 2.5 to 17.5 dB in test, all of one length."""
    members = TRAIN_SPEAKERS if split == "train" else TEST_SPEAKERS
    names = [f"{speaker}_{take:03d}" for speaker in members for take in range(1, TAKES[split] + 1)]
    found = {}
    for number, name in enumerate(names):
        seed = number + (1000 if split == "train" else 0)
        clean = speech_like(SECONDS, seed).astype(np.float64)
        clean *= 0.6 + 0.4 * np.sin(2 * np.pi * (0.3 + 0.1 * (seed % 7)) * np.arange(len(clean)) / RATE + seed)
        snr = 5.0 * (number % 4) + (0.0 if split == "train" else 2.5)
        noise = np.random.default_rng([seed, 5]).standard_normal(len(clean))
        found[name] = clean, clean + noise * np.std(clean) * 10 ** (-snr / 20)
    return found


def write(folder: Path, fault: Fault | None = None) -> Path:
    """The set in VoiceBank-DEMAND's folders, its test set read wrongly by `fault`."""
    for split in ("train", "test"):
        found = pairs(split)
        if fault and split == "test":
            found = fault(found)
        for side, kind in enumerate(("clean", "noisy")):
            name = f"{kind}_{'trainset_28spk' if split == 'train' else 'testset'}_wav"
            (folder / name).mkdir(parents=True)
            for stem, pair in found.items():
                soundfile.write(folder / name / f"{stem}.wav", pair[side], RATE, subtype="PCM_16")
    return folder


def recipe(scores: dict[str, str]) -> Recipe:
    """voicebank-demand, for the size and the figures of this set."""
    training = TrainingSet(
        speakers=28, pairs=len(TRAIN_SPEAKERS) * TAKES["train"], test_pairs=len(TEST_SPEAKERS) * TAKES["test"]
    )
    published = Published(
        scores=scores,
        source="this test",
        hours=f"{len(TEST_SPEAKERS) * TAKES['test'] * SECONDS / 3600:.4f}",
        speakers=frozenset(TEST_SPEAKERS),
    )
    return replace(
        voicebank.RECIPE,
        list_source=partial(voicebank.list_source, training=training),
        published=(published,),
    )


# -- faults ---------------------------------------------------------------------------------------------------


def _both(change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    return lambda found: {name: (change(clean), change(noisy)) for name, (clean, noisy) in found.items()}


def _noisy(change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    return lambda found: {name: (clean, change(noisy)) for name, (clean, noisy) in found.items()}


def _at_48_khz(signal: np.ndarray) -> np.ndarray:
    return soxr.resample(signal, RATE, 48_000)


def _through_8_khz(signal: np.ndarray) -> np.ndarray:
    return soxr.resample(soxr.resample(signal, RATE, 8000), 8000, RATE)[: len(signal)]


def _late(signal: np.ndarray, samples: int) -> np.ndarray:
    return np.roll(np.concatenate([signal, np.zeros(abs(samples))]), samples)[: len(signal)]


def _shuffled(found: dict[str, Pair]) -> dict[str, Pair]:
    """Noisy sides paired by the order of another listing."""
    names = list(found)
    return {name: (found[name][0], found[other][1]) for name, other in zip(names, names[3:] + names[:3], strict=True)}


def _other_material(found: dict[str, Pair]) -> dict[str, Pair]:
    others = [speech_like(SECONDS, 500 + number).astype(np.float64)[::-1] for number in range(len(found))]
    return {name: (pair[0], other) for (name, pair), other in zip(found.items(), others, strict=True)}


def _with_second_channel(found: dict[str, Pair]) -> dict[str, Pair]:
    """The second channel of the noisy side is of a microphone that hears the room alone."""
    room = np.random.default_rng(1)
    return {
        name: (clean, np.stack([noisy, 0.02 * room.standard_normal(len(noisy))], axis=1))
        for name, (clean, noisy) in found.items()
    }


def _other_speakers(found: dict[str, Pair]) -> dict[str, Pair]:
    """As from the 56-speaker training set."""
    return {f"p3{name[2:]}": pair for name, pair in found.items()}


def _train_set_renamed(found: dict[str, Pair]) -> dict[str, Pair]:
    return dict(zip(found, (list(pairs("train").values()) * 3)[: len(found)], strict=True))


# Name -> the fault, the cause to be found, and what must be said of it.
FAULTS: dict[str, tuple[Fault, str, str]] = {
    "48 kHz, header of 16 kHz": (_both(_at_48_khz), "rate", "lasts 3 times as long as published"),
    "made from 8 kHz": (
        _both(_through_8_khz),
        "rate",
        "the files were made from ones at about 8000 Hz",
    ),
    "noisy side at 48 kHz, cut": (
        _noisy(lambda signal: _at_48_khz(signal)[: len(signal)]),
        "rate",
        "does when played 3 times faster",
    ),
    "noisy side 6 dB down": (_noisy(lambda signal: 0.5 * signal), "level", "6.0 dB softer than in the clean side"),
    "noisy sides normalized one by one": (
        _noisy(lambda signal: 0.9 * signal / np.abs(signal).max()),
        "level",
        "normalized one by one",
    ),
    "noisy side inverted": (_noisy(np.negative), "sign", "inverted in 12 of 12 rows"),
    "noisy side late": (_noisy(partial(_late, samples=37)), "delay", "37 samples (2.3 ms) late in 12 of 12 rows"),
    "noisy side early": (_noisy(partial(_late, samples=-5)), "delay", "5 samples (0.3 ms) early"),
    "another microphone as second channel": (_with_second_channel, "channel", "several channels were averaged"),
    "paired by position": (_shuffled, "pairing", "belongs to the noisy side of"),
    "noisy sides of other material": (_other_material, "pairing", "of different material"),
    "other speakers in its place": (
        _other_speakers,
        "split",
        "the published one has not (p332, p357)",
    ),
    "training set under the test set's names": (_train_set_renamed, "split", "of train under another name"),
}
