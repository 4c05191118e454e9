"""The `librimix` recipe: Libri2Mix or Libri3Mix from LibriSpeech, WHAM noise and the metadata of LibriMix.

    SOURCE/LibriSpeech/train-clean-100/...      the FLAC files
    SOURCE/wham_noise/{tr,cv,tt}/...            with LibriMix's augmented training noise
    SOURCE/metadata/libri2mix_*.csv             from the LibriMix repository (Cosentino et al., 2020)

Sources and noise (of several channels the first) are scaled, resampled and cut ("min" mode) as LibriMix's own script
does it, and stored as the int16 samples its files hold; mixtures are summed when read, which saves the mixture files.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import read_header, read_sound
from trainables.audio.corpus.listing import Item, Listing, digest
from trainables.audio.corpus.remarks import Remarks, for_all
from trainables.audio.published.figures import Published
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import file_facts
from trainables.base.errors import UserError

VERSION = 2  # raise it when the same files would give another corpus
RATE = 16_000  # Hz, of LibriSpeech and of the noise

# Split -> the subsets that may serve as it, the first that is there.
_SUBSETS = {"train": ("train-clean-100", "train-clean-360"), "valid": ("dev-clean",), "test": ("test-clean",)}
_LAYOUT = "LibriSpeech/, wham_noise/ and metadata/ with libri2mix_*.csv or libri3mix_*.csv"
CLIPPED = 32767  # of 16 bits
# Of test-clean, "min" mode: what Asteroid's published Conv-TasNets reach less what they gain.
_ASTEROID = "model cards of Asteroid's Conv-TasNets for sep_clean"
PUBLISHED = tuple(
    Published(voices=voices, sample_rate=rate, source=_ASTEROID, scores={"si_sdr": si_sdr, "sdr": sdr, "stoi": stoi})
    for voices, rate, si_sdr, sdr, stoi in (
        (2, 8000, "0.001", "0.179", "0.713"),
        (2, 16_000, "0.001", "0.090", "0.713"),
        (3, 8000, "-3.395", "-3.089", "0.592"),
        (3, 16_000, "-3.367", "-3.212", "0.593"),
    )
)
_FADE = RATE + 1  # samples of the window with which LibriMix repeats noise that is too short


@dataclass(frozen=True)
class _Mixture:
    """One row of the metadata: files with their gains, noise last."""

    id: str
    split: str
    paths: tuple[Path, ...]
    gains: tuple[float, ...]

    @property
    def speakers(self) -> str:
        return "+".join(path.stem.split("-")[0] for path in self.paths[:-1])


def identity(source: Path) -> str:
    """A hash of the metadata and of the paths, sizes and times of change of the files that it names."""
    files = _metadata(source)
    named = {path for split, file in files.items() for each in _rows(source, split, file) for path in each.paths}
    facts = file_facts(source, sorted([*files.values(), *filter(Path.is_file, named)]))
    return digest(["librimix", VERSION, facts])


def list_source(source: Path, sample_rate: int = 8000) -> Listing:
    """Every mixture of the metadata, from headers only.

    Raises:
        UserError: no metadata there, a split without it, or a file that it names is missing or damaged.
    """
    files = _metadata(source)
    mixtures = [mixture for split, path in files.items() for mixture in _rows(source, split, path)]
    voices = len(mixtures[0].paths) - 1
    by_id = {mixture.id: mixture for mixture in mixtures}
    items = tuple(for_all(lambda mixture: _item(mixture, voices, sample_rate), mixtures))
    remarks = Remarks()

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        mixture = by_id[item.id]
        signals = render(mixture.paths, mixture.gains, sample_rate)
        if any(np.abs(signal.astype(np.int32)).max() >= CLIPPED for signal in signals):
            remarks.append(("at full scale once scaled by the metadata's gains", mixture.id))
        return dict(zip([*(f"s{n}" for n in range(1, voices + 1)), "noise"], signals, strict=True))

    return Listing(
        kind="mixtures",
        items=items,
        load=load,
        identity=digest([identity(source), sample_rate]),
        notes=(f"train is {files['train'].stem}",),
        remarks=remarks,
        sample_rate=sample_rate,
    )


def render(paths: Sequence[Path], gains: Sequence[float], sample_rate: int) -> list[NDArray[np.int16]]:
    """Sources and noise (last) of one mixture as LibriMix writes them, int16 (samples,) each."""
    from scipy.signal import resample_poly

    *voices, noise = (sound[:, 0].astype(np.float32) for sound, _ in for_all(read_sound, paths))
    longest = max(map(len, voices))
    signals = [*voices, _extended(noise[:longest], longest)]
    scaled = [signal * gain for signal, gain in zip(signals, gains, strict=True)]
    resampled = [resample_poly(signal, sample_rate, RATE) for signal in scaled]
    shortest = min(map(len, resampled))
    return [_to_int16(signal[:shortest]) for signal in resampled]


def _extended(noise: NDArray[np.float32], length: int) -> NDArray[np.floating]:
    """Noise repeated with a cross-fade of a second's window, as in LibriMix's `extend_noise`."""
    window = np.hanning(_FADE)
    rising, falling = window[: _FADE // 2 + 1], window[_FADE // 2 :: -1]
    longer: NDArray[np.floating] = noise
    while len(longer) < length:
        kept, faded = longer[: len(longer) - len(falling)], longer[len(longer) - len(falling) :]
        overlap = faded * falling + noise[: len(rising)] * rising
        longer = np.concatenate([kept, overlap, noise[len(rising) :]])
    return longer[:length]


def _to_int16(signal: NDArray[np.floating]) -> NDArray[np.int16]:
    """Through a file in memory: libsndfile has its own way of rounding floats to 16 bits."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, signal, RATE, format="WAV", subtype="PCM_16")
    file.seek(0)
    return soundfile.read(file, dtype="int16")[0]


def _metadata(source: Path) -> dict[str, Path]:
    """Split -> its CSV file, all of one number of speakers."""
    folder = source / "metadata"
    for voices in (2, 3):
        found = {}
        for split, subsets in _SUBSETS.items():
            candidates = [folder / f"libri{voices}mix_{subset}.csv" for subset in subsets]
            found[split] = next(filter(Path.is_file, candidates), candidates[0])
        missing = [(split, path) for split, path in found.items() if not path.is_file()]
        for split, path in missing if len(missing) < len(found) else ():
            raise UserError(f"{folder}: no {path.name} for split {split!r}; copy it from the LibriMix repository")
        if not missing:
            return found
    raise UserError(f"{source}: no LibriMix metadata there; it should hold {_LAYOUT}")


def _rows(source: Path, split: str, path: Path) -> list[_Mixture]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; copy it from the LibriMix repository") from error
    reader = csv.DictReader(lines)
    voices = sum(name.startswith("source_") and name.endswith("_path") for name in reader.fieldnames or ())
    if not voices or "noise_path" not in (reader.fieldnames or ()):
        raise UserError(f"{path}: no LibriMix metadata: columns source_1_path ... noise_path are needed")
    try:
        return [_mixture(source, split, row, voices) for row in reader]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}, line {reader.line_num}: a gain or a path is missing or no number; copy the file again from "
            "the LibriMix repository"
        ) from error


def _mixture(source: Path, split: str, row: dict[str, str], voices: int) -> _Mixture:
    numbers = range(1, voices + 1)
    gains = [float(row[f"{name}_gain"]) for name in (*(f"source_{number}" for number in numbers), "noise")]
    if not np.isfinite(gains).all():
        raise ValueError(gains)
    speech = [source / "LibriSpeech" / row[f"source_{number}_path"] for number in numbers]
    return _Mixture(
        id=row["mixture_ID"],
        split=split,
        paths=(*speech, source / "wham_noise" / row["noise_path"]),
        gains=tuple(gains),
    )


def _item(mixture: _Mixture, voices: int, sample_rate: int) -> Item:
    for path in mixture.paths:
        if not path.is_file():
            raise UserError(f"mixture {mixture.id}: no file {path}; complete LibriSpeech and wham_noise there")
    headers = for_all(read_header, mixture.paths)
    for path, header in zip(mixture.paths, headers, strict=True):
        if header.sample_rate != RATE:
            raise UserError(f"{path}: sample rate {header.sample_rate} Hz; LibriMix is made of files at {RATE} Hz")
        if header.channels > 1 and path != mixture.paths[-1]:
            raise UserError(f"{path}: {header.channels} channels; LibriSpeech has one: unpack it again")
    if headers[-1].frames < min(_FADE, max(header.frames for header in headers[:-1])):
        raise UserError(
            f"{mixture.paths[-1]}: {headers[-1].frames} samples; LibriMix repeats noise of a second or more"
        )
    shortest = min(header.frames for header in headers[:-1])
    return Item(
        part=f"mixture{voices}",
        id=mixture.id,
        owner=mixture.speakers,
        split=mixture.split,
        samples=-(-shortest * sample_rate // RATE),
        sample_rate=sample_rate,
    )


RECIPE = Recipe(
    list_source,
    identity,
    summary="Libri2Mix or Libri3Mix at 8 kHz, min mode, from its metadata (librimix-16k: at 16 kHz)",
    source="the folder that holds LibriSpeech/, wham_noise/ and metadata/libri2mix_*.csv",
    published=PUBLISHED,
)
RECIPE_16K = replace(RECIPE, summary="librimix at 16 kHz", list_source=partial(list_source, sample_rate=16_000))
