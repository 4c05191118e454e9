"""A fixed set of training mixtures, drawn on the fly: which voices, and at which levels, never changes; crops do.

What is remembered of a mixture from one step to another (trainables/separation/labels.py) needs mixtures that come
again. Mixture i of a pool is keyed by (seed, "pool", i), so pools of different sizes begin alike. Of a corpus that
stores mixtures the pool is a random choice of its own, at most all of them.

    pooled_batch(corpus, data, 400, seed, step)   a step's batch of different mixtures, cropped at random
    whole_pool(corpus, data, 400, seed, 4.0)      every mixture once, 4 s from its middle
    pool_voices(corpus, data, 400, seed)          the keys of their voices, without reading audio
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from trainables.audio.examples.mixing import Batch, Samples, draw_snr, speech_crop, voice_key
from trainables.audio.examples.speaker_mixtures import batch_of_voices, blend, draw_partners
from trainables.audio.examples.stored_mixtures import (
    NamedVoices,
    names_of,
    rows_of_crop_length,
    stored_mixture,
    training_mixtures,
)
from trainables.base.randomness import generator
from trainables.job.assignment import DataSettings

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.audio.corpus.corpus import Corpus, Table


def pooled_batch(corpus: "Corpus", data: DataSettings, mixtures: int, seed: int, step: int) -> Batch:
    """`data.batch` mixtures of a pool of so many, none twice unless the pool is smaller than the batch.

    Raises:
        UserError: the corpus has too few speakers, or mixtures of another number or rate.
    """
    rng = generator(seed, "pooled mixtures", step)
    members = _members(corpus, data, mixtures, seed)
    chosen = rng.choice(len(members), size=data.batch, replace=len(members) < data.batch)
    return batch_of_voices([_mixture(corpus, data, seed, members[number], rng) for number in chosen], data)


def whole_pool(
    corpus: "Corpus", data: DataSettings, mixtures: int, seed: int, seconds: float, batch: int = 10
) -> Iterator[Batch]:
    """All mixtures of the pool, cropped to `seconds` in their middle, in batches of which the last is smaller."""
    members = _members(corpus, data, mixtures, seed)
    cropped = replace(data, crop_seconds=seconds)
    for start in range(0, len(members), batch):
        part = members[start : start + batch]
        yield batch_of_voices([_mixture(corpus, cropped, seed, member, None) for member in part], cropped)


def pool_voices(corpus: "Corpus", data: DataSettings, mixtures: int, seed: int) -> "Tensor":
    """(mixtures, speakers): the keys of every mixture's voices."""
    import torch

    members = _members(corpus, data, mixtures, seed)
    if corpus.kind == "mixtures":
        table = training_mixtures(corpus, data)
        names = [names_of(table, row) for row in members]
    else:
        speech = corpus.speech(data.source_split("train"))
        names = [[speech.ids[row] for row in _recipe(corpus, data, seed, number)[0]] for number in members]
    return torch.tensor([list(map(voice_key, each)) for each in names])


def _members(corpus: "Corpus", data: DataSettings, mixtures: int, seed: int) -> Sequence[int]:
    """Rows of stored mixtures; of drawn ones, their numbers."""
    if corpus.kind != "mixtures":
        return range(mixtures)
    rows = rows_of_crop_length(training_mixtures(corpus, data), data)
    return generator(seed, "pool").permutation(rows)[:mixtures].tolist()


def _mixture(
    corpus: "Corpus", data: DataSettings, seed: int, member: int, rng: np.random.Generator | None
) -> NamedVoices:
    if corpus.kind == "mixtures":
        return stored_mixture(corpus, data, member, rng)
    speech = corpus.speech(data.source_split("train"))
    wanted = round(data.crop_seconds * corpus.sample_rate)
    rows, levels = _recipe(corpus, data, seed, member)
    crops = [_middle(speech, row, wanted) if rng is None else speech_crop(speech, row, wanted, rng) for row in rows]
    return blend(crops, levels, corpus.sample_rate, data.sample_rate), [speech.ids[row] for row in rows]


def _recipe(corpus: "Corpus", data: DataSettings, seed: int, number: int) -> tuple[list[int], list[float]]:
    """The rows of a mixture's voices, and the levels of all but the first in dB relative to it."""
    rng = generator(seed, "pool", number)
    rows = [rows[rng.integers(len(rows))] for rows in draw_partners(corpus, data, rng)]
    return rows, [draw_snr(data, rng) for _ in range(data.speakers - 1)]


def _middle(speech: "Table", row: int, samples: int) -> Samples:
    start = max(0, speech.samples(row) - samples) // 2
    return speech.audio(row, start, start + samples)
