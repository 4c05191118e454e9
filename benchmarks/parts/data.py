"""Training batches a second: ours, from memory-mapped shards, and from wav files through torch's DataLoader.

Both cut random crops of the demo corpus's training speech, add noise at a random SNR by the same function and stack
eight of a second. The wav files hold the same samples, the files are in the page cache, and the loader's
workers are already running when the clock starts.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.harness.findings import Comparison, Finding
from benchmarks.harness.part import Context, in_turn, per_second
from benchmarks.parts.demo import demo_corpus
from trainables.audio.corpus.corpus import Table
from trainables.audio.corpus.shards import SAMPLE_RATE
from trainables.audio.examples.mixing import mix, training_batch
from trainables.job.assignment import DataSettings

DATA = DataSettings()
WORKERS = (0, 1, 2)


def measure(context: Context) -> list[Finding]:
    corpus = demo_corpus(context)
    speech = _as_wav(corpus.speech("train"), context.folder / "speech")
    noise = _as_wav(corpus.noise("train"), context.folder / "noise")
    count, rounds = context.size(200, 3), context.size(7, 1)

    def ours() -> None:
        for step in range(count):
            training_batch(corpus, DATA, 0, step)

    loaders = [_taken(WavMixtures(speech, noise, count * DATA.batch), workers, count) for workers in WORKERS]
    context.say(f"{rounds} rounds of {count} batches")
    seconds, *others = in_turn(rounds, ours, *loaders)
    return [
        Comparison(
            what=f"batches of {DATA.batch} x {DATA.crop_seconds:g} s, against a DataLoader with {workers} workers",
            unit="batches/s",
            peer="DataLoader on wav files",
            ours=per_second(count, seconds),
            theirs=per_second(count, theirs),
            more_is_better=True,
            why="ours opens no file and hands no batch from process to process; it also looks for crops that hold "
            "speech, which the loader's do not. Ours takes one core, a loader one more for each worker",
        )
        for workers, theirs in zip(WORKERS, others, strict=True)
    ]


class WavMixtures(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """One noisy crop and its clean side, (samples,) each, by random access to files."""

    def __init__(self, speech: list[Path], noise: list[Path], length: int) -> None:
        self._speech, self._noise, self._length = speech, noise, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng(index)
        clean = _crop(self._speech[rng.integers(len(self._speech))], rng)
        noise = _crop(self._noise[rng.integers(len(self._noise))], rng)
        noisy, clean = mix(clean, noise, float(rng.uniform(DATA.snr_low, DATA.snr_high)))
        return torch.from_numpy(noisy), torch.from_numpy(clean)


def _crop(path: Path, rng: np.random.Generator) -> np.ndarray:
    """(samples,) float32; a file that is too short is looped."""
    samples = round(DATA.crop_seconds * SAMPLE_RATE)
    with soundfile.SoundFile(path) as file:
        file.seek(int(rng.integers(max(1, file.frames - samples + 1))))
        return np.resize(file.read(samples, dtype="float32"), samples)


def _taken(mixtures: WavMixtures, workers: int, count: int) -> Callable[[], None]:
    """Goes through the loader once, and on the first call starts its workers."""
    loader = DataLoader(mixtures, batch_size=DATA.batch, num_workers=workers, persistent_workers=workers > 0)

    def take() -> None:
        batches: Iterator[object] = iter(loader)
        assert sum(1 for _ in batches) == count

    return take


def _as_wav(table: Table, folder: Path) -> list[Path]:
    """Every row as a 16-bit file."""
    folder.mkdir()
    paths = [folder / f"{row:05d}.wav" for row in range(len(table))]
    for row, path in enumerate(paths):
        soundfile.write(path, table.audio(row), SAMPLE_RATE, subtype="PCM_16")
    return paths
