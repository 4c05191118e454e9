"""Mixtures of several speakers with their sources, and single voices in noise, at 8 or 16 kHz.

From a corpus of speech a mixture is drawn on the fly: different speakers, one random crop each, all as long
as the shortest ("min" mode), every further voice at a drawn level relative to the first. A corpus of kind
"mixtures" (LibriMix, wsj0-2mix) brings its own: sources as they were written, summed when read. Draws are
keyed by (seed, purpose, step) as in mixing.py.

    mixture_batch(corpus, data, seed, step)   noisy (batch, samples), clean (batch, speakers, samples)
    noisy_batch(corpus, data, seed, step)     noisy and clean (batch, samples): one voice in noise
    mixture_set(corpus, data, "valid")        the fixed mixtures that a separator is evaluated on
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from trainables.audio.corpus.corpus import Corpus, Table
from trainables.audio.examples.mixing import (
    FULL_SCALE,
    Batch,
    Cut,
    EvaluationClip,
    Samples,
    draw_snr,
    enough_clips,
    labelled_rows,
    padded_batch,
    rounds,
    snr_grid,
    speech_crop,
    spoken_cuts,
    training_batch,
    voice_key,
)
from trainables.audio.examples.stored_mixtures import (
    INTERFERENCE,
    NamedVoices,
    Voices,
    crop_samples,
    draw_stored_mixture,
    draw_stored_voice,
    stored_clips,
)
from trainables.audio.levels import active_power, without_offset
from trainables.base.errors import UserError
from trainables.base.randomness import generator
from trainables.job.assignment import DataSettings

# -- training ---------------------------------------------------------------------------------------------


def mixture_batch(
    corpus: Corpus, data: DataSettings, seed: int, step: int | str, purpose: str = "speaker mixtures"
) -> Batch:
    """Training mixtures of `data.speakers` voices; lengths count the samples before padding.

    Levels relative to the first voice are uniform in [snr_low, snr_high] dB.

    Raises:
        UserError: the corpus has too few speakers, or mixtures of another number or rate.
    """
    rng = generator(seed, purpose, step)
    draw = draw_stored_mixture if corpus.kind == "mixtures" else _draw_speakers
    return batch_of_voices([draw(corpus, data, rng) for _ in range(data.batch)], data)


def batch_of_voices(mixtures: Sequence[NamedVoices], data: DataSettings) -> Batch:
    """Mixtures of at most a crop's length, with the keys of their voices."""
    import torch

    batch = padded_batch([(voices.sum(axis=0), voices) for voices, _ in mixtures], crop_samples(data))
    return replace(batch, voices=torch.tensor([list(map(voice_key, names)) for _, names in mixtures]))


def noisy_batch(corpus: Corpus, data: DataSettings, seed: int, step: int) -> Batch:
    """One voice in noise each, SNR uniform in [snr_low, snr_high] dB; stored mixtures bring their noise."""
    if corpus.kind == "mixtures":
        rng = generator(seed, "voices in noise", step)
        return padded_batch([draw_stored_voice(corpus, data, rng) for _ in range(data.batch)], crop_samples(data))
    return _at_rate(training_batch(corpus, data, seed, step), corpus.sample_rate, data.sample_rate)


def _draw_speakers(corpus: Corpus, data: DataSettings, rng: np.random.Generator) -> NamedVoices:
    speech = corpus.speech(data.source_split("train"))
    wanted = round(data.crop_seconds * corpus.sample_rate)
    crops, names = [], []
    for rows in draw_partners(corpus, data, rng):
        row = rows[rng.integers(len(rows))]
        crops.append(speech_crop(speech, row, wanted, rng))
        names.append(speech.ids[row])
    levels = [draw_snr(data, rng) for _ in range(data.speakers - 1)]
    return blend(crops, levels, corpus.sample_rate, data.sample_rate), names


def draw_partners(corpus: Corpus, data: DataSettings, rng: np.random.Generator) -> list[list[int]]:
    """The training rows of each of `data.speakers` different speakers. Raises UserError where there are fewer."""
    split = data.source_split("train")
    by_speaker = _rows_by_speaker(corpus.speech(split), data.labelled_minutes)
    _require_speakers(corpus, split, len(by_speaker), data.speakers)
    return [by_speaker[index] for index in rng.choice(len(by_speaker), size=data.speakers, replace=False)]


@lru_cache(maxsize=16)
def _rows_by_speaker(speech: Table, minutes: float | None) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row in labelled_rows(speech, minutes):
        rows.setdefault(speech.speakers[row], []).append(row)
    return [rows[speaker] for speaker in sorted(rows)]


def _at_rate(batch: Batch, rate: int, wanted: int) -> Batch:
    import torch

    if rate == wanted:
        return batch
    noisy, clean = (resample(signal.numpy(), rate, wanted) for signal in (batch.noisy, batch.clean))
    lengths = (batch.lengths * wanted).div(rate, rounding_mode="floor")
    return Batch(noisy=torch.from_numpy(noisy), clean=torch.from_numpy(clean), lengths=lengths)


# -- one mixture ------------------------------------------------------------------------------------------


def blend(crops: Sequence[Samples], levels: Sequence[float], rate: int, wanted: int) -> Voices:
    """Crops at `rate` -> voices at the `wanted` rate, cut to the shortest; their sum stays within full scale.

    `levels` in dB: of every further voice relative to the first, by the power of their active stretches.
    """
    shortest = min(map(len, crops))
    first, *others = (without_offset(resample(without_offset(crop[:shortest]), rate, wanted)) for crop in crops)
    power = active_power(first)
    voices = [first]
    for voice, level in zip(others, levels, strict=True):
        gain = np.sqrt(power / max(active_power(voice), 1e-20) * 10 ** (level / 10))
        voices.append(np.float32(gain) * voice)
    stacked = np.stack(voices)
    peak = max(np.abs(stacked.sum(axis=0)).max(), np.abs(stacked).max())
    return stacked if peak <= FULL_SCALE else stacked * np.float32(FULL_SCALE / peak)


def resample(signal: Samples, rate: int, wanted: int) -> Samples:
    """The last axis at another rate, by scipy's polyphase filter as LibriMix does it."""
    from scipy.signal import resample_poly

    if rate == wanted:
        return signal
    return resample_poly(signal, wanted, rate, axis=-1).astype(np.float32)


# -- evaluation -------------------------------------------------------------------------------------------


def mixture_set(corpus: Corpus, data: DataSettings, split: str, seed: int = 0) -> list[EvaluationClip]:
    """The fixed mixtures every job is evaluated on, about `valid_seconds` or `test_seconds` in all.

    Drawn from a corpus of speech, every speaker belongs to one group of `data.speakers` only: mixtures of
    different groups share no voice, so groups can be counted as independent. Groups take turns, and so do the
    levels of a grid of five across [snr_low, snr_high].

    Raises:
        UserError: the split has too few speakers, or mixtures of another number or rate.
    """
    make = stored_clips if corpus.kind == "mixtures" else _grouped_clips
    return enough_clips(make, corpus, data, split, seed)


def _grouped_clips(corpus: Corpus, data: DataSettings, split: str, seed: int) -> Iterator[EvaluationClip]:
    speech = corpus.speech(split)
    order = generator(seed, f"{split} speaker groups")
    grid = rounds(snr_grid(data), order)
    waiting = _cuts_by_speaker(speech, data, split, seed)
    groups = _groups(corpus, split, sorted(waiting), data.speakers, order)
    while groups:
        for group in groups:
            cuts = [waiting[speaker].pop(0) for speaker in group]
            level = next(grid)
            voices = blend(
                [speech.audio(cut.row, cut.start, cut.stop) for cut in cuts],
                [level] * (data.speakers - 1),
                corpus.sample_rate,
                data.sample_rate,
            )
            yield EvaluationClip(
                utterance="+".join(cut.name for cut in cuts),
                speaker="+".join(group),
                noise_type=INTERFERENCE,
                snr_db=level,
                noisy=voices.sum(axis=0),
                clean=voices,
            )
        groups = [group for group in groups if all(waiting[speaker] for speaker in group)]


def _cuts_by_speaker(speech: Table, data: DataSettings, split: str, seed: int) -> dict[str, list[Cut]]:
    cuts: dict[str, list[Cut]] = {}
    for cut in spoken_cuts(speech, data, split, seed):
        cuts.setdefault(speech.speakers[cut.row], []).append(cut)
    return cuts


def _groups(
    corpus: Corpus, split: str, speakers: Sequence[str], size: int, order: np.random.Generator
) -> list[tuple[str, ...]]:
    """Shuffled speakers, `size` at a time; those that fill no group are left out."""
    _require_speakers(corpus, split, len(speakers), size)
    shuffled = [speakers[index] for index in order.permutation(len(speakers))]
    whole = len(shuffled) // size * size
    return [tuple(shuffled[start : start + size]) for start in range(0, whole, size)]


def _require_speakers(corpus: Corpus, split: str, found: int, wanted: int) -> None:
    if found < wanted:
        raise UserError(
            f"{corpus.uri}: split {split!r} has {found} speaker{'s' * (found != 1)}; a mixture needs "
            f"{wanted} different ones: add speakers"
        )
