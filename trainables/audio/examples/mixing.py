"""Noisy mixtures with clean references, drawn on the fly and keyed by (seed, purpose, step).

A mixture is clean + gain * noise over one crop. The gain gives the drawn SNR between the crop's speech power
and the power of the noise where it is active: frames of 20 ms within 30 dB of the loudest one. For steady
noise that is the whole crop; for barks and ticks the pauses do not count, or the bursts would drown the
speech. Noise shorter than the crop is looped. Where a mixture would pass full scale both sides are scaled
down alike, which leaves the SNR as it is. Constant offsets are inaudible: they are removed, wherever they matter,
before anything is measured or mixed (levels.py). Paired corpora bring their own mixtures: the same calls, without an
SNR to choose.

Plain numpy on memory-mapped shards: a batch of 8 x 1 s takes about a millisecond.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.corpus import Corpus, Table
from trainables.audio.corpus.shards import SAMPLE_RATE
from trainables.audio.levels import ACTIVE_RANGE, active_power, decibels, power, without_offset
from trainables.base.errors import UserError
from trainables.base.randomness import generator
from trainables.job.assignment import DataSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Samples = NDArray[np.float32]
T = TypeVar("T")

FULL_SCALE = 0.99
SPEECH_RANGE = 20.0  # dB below its utterance's level, from which a crop counts as holding speech
CROP_TRIES = 4
SNR_STEPS = 5  # points of the evaluation grid
SHORTEST_CLIP = 1.0  # s, of an evaluation set, where the material allows

PAIRED_NOISE_TYPE = "recorded"  # of a paired corpus, whose noises have no names


@dataclass(frozen=True)
class Batch:
    """Training examples, float32 (batch, samples); `lengths` (batch,) counts the samples before padding.

    Of a mixture of speakers, `clean` holds every voice: (batch, speakers, samples). `noise_types` (batch,) are numbers
    of the noises' types, counted in alphabetical order within the split; None where the noises have no types.
    """

    noisy: "Tensor"
    clean: "Tensor"
    lengths: "Tensor"
    noise_types: "Tensor | None" = None

    def to(self, device: "torch.device") -> "Batch":
        """The same examples on the device."""
        return Batch(**{name: values.to(device) for name, values in vars(self).items() if values is not None})


@dataclass(frozen=True)
class EvaluationClip:
    """One clip to be scored: noisy and clean are float32 (samples,). `utterance` is unique in its set.

    `snr_db` is the drawn SNR; of a paired corpus, the measured one. Of a mixture of speakers, `clean` holds
    every voice, (speakers, samples). `text` is what is said, None where that is unknown or the clip is not a whole
    utterance.
    """

    utterance: str
    speaker: str
    noise_type: str
    snr_db: float
    noisy: Samples
    clean: Samples
    text: str | None = None


ClipSource = Callable[[Corpus, DataSettings, str, int], Iterator[EvaluationClip]]  # of a split, by seed


# -- training ---------------------------------------------------------------------------------------------


def training_batch(corpus: Corpus, data: DataSettings, seed: int, step: int | str, split: str = "train") -> Batch:
    """The batch of one step: random crops, noise types drawn evenly, SNR uniform in [snr_low, snr_high] dB.

    The same (seed, split, step) gives the same bits, whatever was drawn before. `data.labelled_minutes`
    limits the speech to `labelled_rows`.
    """
    import torch

    rng = generator(seed, f"{split} mixtures", step)
    samples = round(data.crop_seconds * SAMPLE_RATE)
    source = data.source_split(split)
    if corpus.kind == "paired":
        return padded_batch([_draw_pair(corpus, data, source, samples, rng) for _ in range(data.batch)], samples)
    drawn = [_draw_mixture(corpus, data, source, samples, rng) for _ in range(data.batch)]
    batch = padded_batch([(each.noisy, each.clean) for each in drawn], samples)
    return replace(batch, noise_types=torch.tensor([each.noise_type for each in drawn]))


def view_batch(corpus: Corpus, data: DataSettings, seed: int, step: int, views: int, same_snr: bool = False) -> Batch:
    """Clean crops in several noises each: (views x batch, samples), view after view in the same order of crops.

    Noises are drawn separately for each view, and so are SNRs unless `same_snr`.

    Raises:
        UserError: a paired corpus, whose utterances have one noise each.
    """
    if corpus.kind == "paired":
        raise UserError(
            f"{corpus.uri} holds pairs of clean and noisy recordings: views of one clean crop in several noises "
            "need speech and noise apart; give such a corpus"
        )
    rng = generator(seed, "train views", step)
    samples = round(data.crop_seconds * SAMPLE_RATE)
    speech, noise = corpus.speech(data.source_split("train")), corpus.noise(data.source_split("train"))
    crops = []
    for _ in range(data.batch):
        clean = _draw_clean(speech, data, samples, rng)
        snr_db = draw_snr(data, rng) if same_snr else None
        crops.append([_in_noise(clean, noise, data, rng, snr_db) for _ in range(views)])
    in_order = [crop[view] for view in range(views) for crop in crops]
    return padded_batch([(each.noisy, each.clean) for each in in_order], samples)


def speech_batch(
    corpus: Corpus,
    seed: int,
    step: int | str,
    batch: int,
    crop_seconds: float,
    purpose: str = "pretraining speech",
    split: str = "train",
) -> "Tensor":
    """(batch, samples) random crops of clean speech for pre-training, at 16 kHz.

    A shorter utterance is looped, as a short noise is: zeros after it would be learnt and counted as speech.
    """
    import torch

    rng = generator(seed, purpose, step)
    speech = corpus.speech(split)
    samples = round(crop_seconds * SAMPLE_RATE)
    crops = np.zeros((batch, samples), dtype=np.float32)
    for crop in crops:
        row, start = _speech_place(speech, samples, rng)
        crop[:] = _looped(speech.audio(row, start, start + samples), samples)
    return torch.from_numpy(crops)


def heard_batch(
    corpus: Corpus,
    seed: int,
    step: int | str,
    batch: int,
    crop_seconds: float,
    noisy_share: float,
    snr_db: tuple[float, float],
    purpose: str = "pretraining speech",
) -> tuple["Tensor", "Tensor"]:
    """The crops of `speech_batch`, (batch, samples), to the bit, and the same with noise in a share of them.

    Noises are those of the training split, types drawn evenly, at an SNR uniform in `snr_db`; of a paired corpus, the
    recording's own. Noisy crops may pass full scale: clean ones keep their level.
    """
    import torch

    clean = speech_batch(corpus, seed, step, batch, crop_seconds, purpose)
    rng, places = generator(seed, f"{purpose}, noise", step), generator(seed, purpose, step)
    heard = clean.clone()
    samples = clean.shape[1]
    for item, crop in zip(heard, clean.numpy(), strict=True):
        if corpus.kind == "paired":
            pairs = corpus.paired("train")
            row, start = _speech_place(pairs, samples, places)
            recorded = _looped(pairs.noisy(row, start, start + samples), samples)
            if rng.random() < noisy_share:
                item[:] = torch.from_numpy(recorded)
        elif rng.random() < noisy_share:
            noise, _ = _draw_noise(corpus.noise("train"), samples, rng)
            item += torch.from_numpy(_at_snr(crop, without_offset(noise), float(rng.uniform(*snr_db)), active_power))
    return clean, heard


@lru_cache(maxsize=16)
def labelled_rows(table: Table, minutes: float | None) -> tuple[int, ...]:
    """The rows that make up `minutes` of speech, the same for every job; all rows if None.

    Speakers take turns in a fixed shuffled order until the sum reaches the limit, so few minutes are spread
    over many speakers and fewer minutes are a subset of more.
    """
    if minutes is None:
        return tuple(range(len(table)))
    chosen: list[int] = []
    seconds = 0.0
    for row in _taking_turns(table.speakers, generator(0, "labelled")):
        if chosen and seconds >= 60 * minutes:
            break
        chosen.append(row)
        seconds += table.seconds[row]
    return tuple(sorted(chosen))


class _Mixture(NamedTuple):
    noisy: Samples
    clean: Samples
    noise_type: int  # among the split's, in alphabetical order


def _draw_mixture(corpus: Corpus, data: DataSettings, split: str, samples: int, rng: np.random.Generator) -> _Mixture:
    clean = _draw_clean(corpus.speech(split), data, samples, rng)
    return _in_noise(clean, corpus.noise(split), data, rng)


def _draw_clean(speech: Table, data: DataSettings, samples: int, rng: np.random.Generator) -> Samples:
    rows = labelled_rows(speech, data.labelled_minutes)
    return speech_crop(speech, rows[rng.integers(len(rows))], samples, rng)


def _in_noise(
    clean: Samples, noise: Table, data: DataSettings, rng: np.random.Generator, snr_db: float | None = None
) -> _Mixture:
    """The crop in a drawn noise, at a drawn SNR unless one is given."""
    disturbance, noise_type = _draw_noise(noise, len(clean), rng)
    mixed = mix(clean, disturbance, draw_snr(data, rng) if snr_db is None else snr_db, _power_of(data))
    return _Mixture(*mixed, noise_type)


def _draw_noise(noise: Table, samples: int, rng: np.random.Generator) -> tuple[Samples, int]:
    """(samples,) of a noise of any type, and the type's number."""
    of_type = _rows_by_type(noise)
    number = int(rng.integers(len(of_type)))
    recordings = of_type[sorted(of_type)[number]]
    return _noise_crop(noise, recordings[rng.integers(len(recordings))], samples, rng), number


def draw_snr(data: DataSettings, rng: np.random.Generator) -> float:
    """The SNR (dB) of one training mixture."""
    if data.training_snrs:
        return float(data.training_snrs[rng.integers(len(data.training_snrs))])
    return float(rng.uniform(data.snr_low, data.snr_high))


def _power_of(data: DataSettings) -> Callable[[Samples], float]:
    """The power of a noise as it counts in an SNR."""
    return {"active": active_power, "crop": power}[data.noise_level]


def _draw_pair(
    corpus: Corpus, data: DataSettings, split: str, samples: int, rng: np.random.Generator
) -> tuple[Samples, Samples]:
    pairs = corpus.paired(split)
    rows = labelled_rows(pairs, data.labelled_minutes)
    row = rows[rng.integers(len(rows))]
    start = _speech_start(pairs, row, samples, rng)
    noisy, clean = (side(row, start, start + samples) for side in (pairs.noisy, pairs.clean))
    return without_offset(noisy), without_offset(clean)


def padded_batch(pairs: Sequence[tuple[Samples, Samples]], samples: int) -> Batch:
    """Pairs of noisy, (samples,), and clean, (samples,) or (speakers, samples), with zeros up to `samples`."""
    import torch

    noisy = np.zeros((len(pairs), samples), dtype=np.float32)
    clean = np.zeros((len(pairs), *pairs[0][1].shape[:-1], samples), dtype=np.float32)
    for index, (mixture, voices) in enumerate(pairs):
        noisy[index, : len(mixture)] = mixture
        clean[index, ..., : len(mixture)] = voices
    lengths = torch.tensor([len(mixture) for mixture, _ in pairs])
    return Batch(noisy=torch.from_numpy(noisy), clean=torch.from_numpy(clean), lengths=lengths)


@lru_cache(maxsize=16)
def _rows_by_type(noise: Table) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(noise.types):
        rows.setdefault(name, []).append(row)
    return rows


# -- one mixture ------------------------------------------------------------------------------------------


def mix(
    clean: Samples, noise: Samples, snr_db: float, noise_power: Callable[[Samples], float] | None = None
) -> tuple[Samples, Samples]:
    """(samples,) clean and noise of equal length -> noisy and clean at `snr_db`, neither beyond full scale.

    SNR is the clean crop's power over the noise's; the latter is `active_power` unless another is given. Constant
    offsets of either are left out of both the SNR and the mixture.
    """
    clean, noise = without_offset(clean), without_offset(noise)
    noisy = clean + _at_snr(clean, noise, snr_db, noise_power or active_power)
    peak = max(noisy.max(), -noisy.min(), clean.max(), -clean.min())
    if peak <= FULL_SCALE:
        return noisy, clean
    scale = np.float32(FULL_SCALE / peak)
    return noisy * scale, clean * scale


def _at_snr(clean: Samples, noise: Samples, snr_db: float, noise_power: Callable[[Samples], float]) -> Samples:
    """The noise, (samples,), at that SNR to the crop; neither has a constant offset."""
    gain = np.sqrt(power(clean) / max(noise_power(noise), 1e-20) / 10 ** (snr_db / 10))
    return np.float32(gain) * noise


def _speech_place(speech: Table, samples: int, rng: np.random.Generator) -> tuple[int, int]:
    """Row and start of a random crop that holds speech."""
    row = int(rng.integers(len(speech)))
    return row, _speech_start(speech, row, samples, rng)


def _looped(piece: Samples, samples: int) -> Samples:
    """A crop without a constant offset, repeated up to (samples,)."""
    return np.resize(without_offset(piece), samples)


def speech_crop(speech: Table, row: int, samples: int, rng: np.random.Generator) -> Samples:
    """A random crop of a row that holds speech, at most (samples,), without a constant offset."""
    start = _speech_start(speech, row, samples, rng)
    return without_offset(speech.audio(row, start, start + samples))


def _speech_start(speech: Table, row: int, samples: int, rng: np.random.Generator) -> int:
    """Start of a random crop that holds speech; after a few tries, of one around the loudest sample."""
    spare = speech.samples(row) - samples
    if spare <= 0:
        return 0
    threshold = _level(speech, row) * 10 ** (-SPEECH_RANGE / 10)
    for start in rng.integers(spare + 1, size=CROP_TRIES):
        if power(speech.audio(row, start, start + samples)) >= threshold:
            return int(start)
    return _around_loudest(speech.audio(row), samples)


def _noise_crop(noise: Table, row: int, samples: int, rng: np.random.Generator) -> Samples:
    """A random crop in which the noise is audible; a recording that is too short is looped."""
    length = noise.samples(row)
    if length < samples:
        return np.resize(np.roll(noise.audio(row), -int(rng.integers(length))), samples)
    threshold = _level(noise, row) * 10 ** (-ACTIVE_RANGE / 10)
    for start in rng.integers(length - samples + 1, size=CROP_TRIES):
        crop = noise.audio(row, start, start + samples)
        if power(crop) >= threshold:
            return crop
    start = _around_loudest(noise.audio(row), samples)
    return noise.audio(row, start, start + samples)


def _around_loudest(samples: Samples, length: int) -> int:
    start = int(np.abs(without_offset(samples)).argmax()) - length // 2
    return min(max(start, 0), len(samples) - length)


@lru_cache(maxsize=65536)
def _level(table: Table, row: int) -> float:
    """The active power of a whole recording."""
    return active_power(table.audio(row))


# -- evaluation -------------------------------------------------------------------------------------------


def evaluation_set(corpus: Corpus, data: DataSettings, split: str, seed: int = 0) -> list[EvaluationClip]:
    """The fixed clips every job is evaluated on, about `valid_seconds` or `test_seconds` in all.

    Speakers take turns, noise types take turns, and so do the SNRs of a grid of five across
    [snr_low, snr_high]; each round is reshuffled, so the three are independent.
    Utterances are cut to `evaluation_clip_seconds`; cuts without speech are left out, and so are cuts below
    1 s unless there are no others.

    Raises:
        UserError: the split has nothing to evaluate on.
    """
    make = _paired_clips if corpus.kind == "paired" else _mixed_clips
    return enough_clips(make, corpus, data, split, seed)


def enough_clips(make: ClipSource, corpus: Corpus, data: DataSettings, split: str, seed: int) -> list[EvaluationClip]:
    """Clips of `make` until `valid_seconds` or `test_seconds` are reached, or all there are.

    Raises:
        UserError: there are none.
    """
    wanted = {"valid": data.valid_seconds, "test": data.test_seconds}[split] * data.sample_rate
    split = data.source_split(split)
    clips: list[EvaluationClip] = []
    total = 0
    for clip in make(corpus, data, split, seed):
        if total >= wanted:
            break
        clips.append(clip)
        total += len(clip.noisy)
    if not clips:
        raise UserError(f"{corpus.uri}: split {split!r} has nothing to evaluate on; add recordings to it")
    return clips


def _mixed_clips(corpus: Corpus, data: DataSettings, split: str, seed: int) -> Iterator[EvaluationClip]:
    speech, noise = corpus.speech(split), corpus.noise(split)
    rows = _rows_by_type(noise)
    order = generator(seed, f"{split} evaluation order")
    types = rounds(sorted(rows), order)
    recordings = {name: rounds(of_type, order) for name, of_type in sorted(rows.items())}
    cuts, snrs = _cuts_and_snrs(spoken_cuts(speech, data, split, seed), data, order)
    for cut in cuts:
        noise_type, snr_db = next(types), next(snrs)
        clean = speech.audio(cut.row, cut.start, cut.stop)
        rng = generator(seed, f"{split} evaluation noise", cut.name)
        noisy, clean = mix(
            clean, _noise_crop(noise, next(recordings[noise_type]), len(clean), rng), snr_db, _power_of(data)
        )
        yield EvaluationClip(cut.name, speech.speakers[cut.row], noise_type, snr_db, noisy, clean, cut.text)


def _cuts_and_snrs(
    cuts: Iterator["Cut"], data: DataSettings, order: np.random.Generator
) -> tuple[Iterable["Cut"], Iterator[float]]:
    """Cuts and the SNR of each: a grid in shuffled rounds, or every cut at every listed SNR."""
    snrs = snr_grid(data)
    if not data.evaluation_snrs:
        return cuts, rounds(snrs, order)
    listed = list(cuts)
    placed = [(cut, snrs[(index + turn) % len(snrs)]) for turn in range(len(snrs)) for index, cut in enumerate(listed)]
    named = [replace(cut, name=f"{cut.name}@{snr_db:+g}dB") for cut, snr_db in placed]
    return named, iter([snr_db for _, snr_db in placed])


def snr_grid(data: DataSettings) -> list[float]:
    """The SNRs (dB) of the evaluation sets."""
    return list(data.evaluation_snrs) or np.linspace(data.snr_low, data.snr_high, SNR_STEPS).tolist()


def _paired_clips(corpus: Corpus, data: DataSettings, split: str, seed: int) -> Iterator[EvaluationClip]:
    pairs = corpus.paired(split)
    for cut in spoken_cuts(pairs, data, split, seed):
        clean = without_offset(pairs.clean(cut.row, cut.start, cut.stop))
        noisy = without_offset(pairs.noisy(cut.row, cut.start, cut.stop))
        snr_db = decibels(power(clean), power(noisy - clean))
        yield EvaluationClip(cut.name, pairs.speakers[cut.row], PAIRED_NOISE_TYPE, snr_db, noisy, clean, cut.text)


@dataclass(frozen=True)
class Cut:
    """Samples start..stop of a row. `name` is the utterance's id, with the start in seconds if not 0.

    `text` is what is said in a whole row, None where that is unknown, and of a part.
    """

    row: int
    start: int
    stop: int
    name: str
    text: str | None = None


def spoken_cuts(speech: Table, data: DataSettings, split: str, seed: int) -> Iterator[Cut]:
    """Cuts that hold speech, speaker by speaker in turn."""
    longest = round(data.evaluation_clip_seconds * SAMPLE_RATE)
    cuts = [cut for row in range(len(speech)) for cut in _cuts(speech, row, longest)]
    shortest = min(longest, round(SHORTEST_CLIP * SAMPLE_RATE))
    cuts = [cut for cut in cuts if cut.stop - cut.start >= shortest] or cuts
    speakers = [speech.speakers[cut.row] for cut in cuts]
    for index in _taking_turns(speakers, generator(seed, f"{split} evaluation speech")):
        cut = cuts[index]
        level = power(speech.audio(cut.row, cut.start, cut.stop))
        if level >= _level(speech, cut.row) * 10 ** (-SPEECH_RANGE / 10):
            yield cut


def _cuts(speech: Table, row: int, longest: int) -> Iterator[Cut]:
    length, name = speech.samples(row), speech.ids[row]
    for start in range(0, length, longest):
        suffix = f"@{start / SAMPLE_RATE:g}s" if start else ""
        text = speech.texts[row] if length <= longest else None
        yield Cut(row=row, start=start, stop=min(start + longest, length), name=f"{name}{suffix}", text=text)


def _taking_turns(owners: Sequence[str], rng: np.random.Generator) -> Iterator[int]:
    """Every index once, in rounds with one index per owner; all orders are shuffled."""
    waiting: dict[str, list[int]] = {}
    for index in rng.permutation(len(owners)):
        waiting.setdefault(owners[index], []).append(int(index))
    while waiting:
        names = sorted(waiting)
        for position in rng.permutation(len(names)):
            name = names[position]
            yield waiting[name].pop()
            if not waiting[name]:
                del waiting[name]


def rounds(items: Sequence[T], rng: np.random.Generator) -> Iterator[T]:
    """Endless rounds through `items`, each reshuffled."""
    while True:
        for position in rng.permutation(len(items)):
            yield items[position]
