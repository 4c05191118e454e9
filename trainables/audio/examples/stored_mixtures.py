"""Mixtures that a corpus has stored source by source: LibriMix and wsj0-2mix.

The sum of the stored sources is the clean mixture, the first source and the noise are one voice in noise
("mix_single"): what would be files of their own in the original sets is added up when read.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainables.audio.examples.mixing import EvaluationClip, Samples
from trainables.audio.levels import decibels, power, without_offset
from trainables.base.errors import UserError
from trainables.base.randomness import generator
from trainables.job.assignment import DataSettings

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus, MixtureTable

INTERFERENCE = "speech"  # in place of a noise type

Voices = NDArray[np.float32]  # (speakers, samples)
NamedVoices = tuple[Voices, Sequence[str]]  # and the name of each, unique in the corpus


def draw_stored_mixture(corpus: "Corpus", data: DataSettings, rng: np.random.Generator) -> NamedVoices:
    """A random crop of a random mixture; those shorter than the crop are drawn only if all are."""
    table = training_mixtures(corpus, data)
    return _cropped(table, *_crop(table, data, rng))


def stored_mixture(corpus: "Corpus", data: DataSettings, row: int, rng: np.random.Generator | None) -> NamedVoices:
    """A random crop of this mixture; without a generator the one in its middle."""
    table = training_mixtures(corpus, data)
    wanted = crop_samples(data)
    spare = max(0, table.samples(row) - wanted)
    start = spare // 2 if rng is None else int(rng.integers(spare + 1))
    return _cropped(table, row, start, start + wanted)


def training_mixtures(corpus: "Corpus", data: DataSettings) -> "MixtureTable":
    """Raises UserError where the corpus has mixtures of another number or rate."""
    return _table(corpus, data, data.source_split("train"))


def rows_of_crop_length(table: "MixtureTable", data: DataSettings) -> list[int]:
    """The mixtures that are as long as a crop; all, if none is."""
    return [row for row, seconds in enumerate(table.seconds) if seconds >= data.crop_seconds] or [*range(len(table))]


def names_of(table: "MixtureTable", row: int) -> list[str]:
    """One for each voice of the mixture."""
    return [f"{table.ids[row]}/s{number}" for number in range(1, table.voices + 1)]


def _cropped(table: "MixtureTable", row: int, start: int, stop: int) -> NamedVoices:
    return without_offset(table.sources(row, start, stop)), names_of(table, row)


def draw_stored_voice(corpus: "Corpus", data: DataSettings, rng: np.random.Generator) -> tuple[Samples, Samples]:
    """The first source of a random mixture with the mixture's noise: (noisy, clean), (samples,) each.

    Raises:
        UserError: the corpus stores no noise, or mixtures of another number or rate.
    """
    table = _table(corpus, data, data.source_split("train"))
    if not table.has_noise:
        raise UserError(
            f"{corpus.uri} stores no noise with its mixtures: voices in noise, which pre-training needs, "
            "cannot be drawn from it; prepare it with noise, or use strategy='scratch'"
        )
    crop = _crop(table, data, rng)
    clean = without_offset(table.sources(*crop)[0])
    return clean + without_offset(table.noise(*crop)), clean


def stored_clips(corpus: "Corpus", data: DataSettings, split: str, seed: int) -> Iterator[EvaluationClip]:
    """Mixtures in a fixed shuffled order, cut to `evaluation_clip_seconds`; the level is the measured one."""
    table = _table(corpus, data, split)
    longest = round(data.evaluation_clip_seconds * corpus.sample_rate)
    for row in generator(seed, f"{split} stored mixtures").permutation(len(table)):
        voices = without_offset(table.sources(int(row), 0, longest))
        yield EvaluationClip(
            utterance=table.ids[row],
            speaker=table.speakers[row],
            noise_type=INTERFERENCE,
            snr_db=decibels(power(voices[1]), power(voices[0])),
            noisy=voices.sum(axis=0),
            clean=voices,
        )


def _table(corpus: "Corpus", data: DataSettings, split: str) -> "MixtureTable":
    table = corpus.mixtures(split)
    if corpus.sample_rate != data.sample_rate:
        raise UserError(
            f"{corpus.uri} holds mixtures at {corpus.sample_rate} Hz, sample_rate={data.sample_rate} was "
            f"asked for: set sample_rate={corpus.sample_rate}, or prepare the corpus at the other rate"
        )
    if table.voices < data.speakers:
        raise UserError(
            f"{corpus.uri} holds mixtures of {table.voices} voices, sources={data.speakers} was asked for: "
            f"set sources={table.voices}"
        )
    return table


def _crop(table: "MixtureTable", data: DataSettings, rng: np.random.Generator) -> tuple[int, int, int]:
    """Row, start and stop in samples."""
    rows = rows_of_crop_length(table, data)
    row = rows[rng.integers(len(rows))]
    wanted = crop_samples(data)
    start = int(rng.integers(max(0, table.samples(row) - wanted) + 1))
    return row, start, start + wanted


def crop_samples(data: DataSettings) -> int:
    """The length of a training crop in samples."""
    return round(data.crop_seconds * data.sample_rate)
