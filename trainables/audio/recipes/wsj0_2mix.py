"""The `wsj0-2mix` recipe: the generated sets, 8 kHz "min", source by source.

    SOURCE/{tr,cv,tt}/{s1,s2}/*.wav       as written by the original scripts (16 bits) or WHAM's (floats), or as FLAC
    SOURCE/{tr,cv,tt}/noise/*.wav         of WHAM, where voices in noise are wanted for pre-training

SOURCE may also be a folder above that holds wav8k/min. The mixture is the sum of its sources; mixture files are
not read. Files of one mixture have one rate and, in "min" mode, one length. The material is licensed by the LDC.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import Header, read_audio, read_header
from trainables.audio.corpus.audio_folders import find_audio
from trainables.audio.corpus.listing import SPLITS, Item, Listing, digest
from trainables.audio.corpus.remarks import Remarks, for_all
from trainables.audio.published.figures import Published
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import by_stem, file_facts
from trainables.base.errors import UserError

VERSION = 3  # raise it when the same files would give another corpus
_FOLDERS = {"train": "tr", "valid": "cv", "test": "tt"}
_PARTS = ("s1", "s2", "noise")
_NO_NOISE = {"noise": np.zeros(0, np.int16)}  # after the sources: a mixture is as long as its first part
_BELOW = (".", "wav8k/min", "2speakers/wav8k/min")
# Of tt, "min" mode: what Asteroid's published DPRNN reaches less what it gains.
PUBLISHED = Published(
    voices=2,
    sample_rate=8000,
    source="model card of Asteroid's DPRNN for WHAM's sep_clean",
    scores={"si_sdr": "-0.001", "sdr": "0.151"},
)
# "01to030v_0.76421_20ga010m_-0.76421": utterance, level, utterance, level; a speaker is three characters.
_NAME = re.compile(r"(?P<first>\w{3})\w*_-?[\d.]+_(?P<second>\w{3})\w*_-?[\d.]+")


@dataclass(frozen=True)
class _Mixture:
    """The files of one mixture by part: "s1", "s2" and, where the set has it, "noise"."""

    id: str
    split: str
    files: dict[str, Path]


def identity(source: Path) -> str:
    """A hash of the paths, sizes and times of change of every file that is read."""
    root = _root(source)
    files = [path for folder in _FOLDERS.values() for part in _PARTS for path in find_audio(root / folder / part)]
    return digest(["wsj0-2mix", VERSION, file_facts(root, files)])


def list_source(source: Path) -> Listing:
    """Every mixture of the three sets, from headers only.

    Raises:
        UserError: a set or a partner is missing, a header is damaged, files of a mixture differ in rate or length, or a
            name is not wsj0-2mix's.
    """
    root = _root(source)
    mixtures = {(split, each.id): each for split in SPLITS for each in _mixtures(root, split)}
    items = tuple(for_all(_item, mixtures.values()))
    remarks = Remarks()

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        files = mixtures[item.split, item.id].files
        signals = for_all(lambda path: read_audio(path, rate=None, remarks=remarks), files.values())
        return {**dict(zip(files, signals, strict=True)), **({} if "noise" in files else _NO_NOISE)}

    rates = {item.sample_rate for item in items}
    if len(rates) > 1 or not rates <= {8000, 16_000}:
        raise UserError(
            f"{root}: files at {' and '.join(map(str, sorted(rates)))} Hz; all must have one rate, 8000 or 16000 Hz"
        )
    return Listing("mixtures", items, load, identity(source), remarks=remarks, sample_rate=rates.pop())


def _root(source: Path) -> Path:
    for below in _BELOW:
        if (source / below / "tr" / "s1").is_dir():
            return (source / below).resolve()
    raise UserError(f"{source}: no wsj0-2mix there; it should hold tr, cv and tt with s1 and s2, or wav8k/min")


def _mixtures(root: Path, split: str) -> list[_Mixture]:
    folder = root / _FOLDERS[split]
    parts = {part: by_stem(find_audio(folder / part)) for part in _PARTS}
    if not parts["s1"]:
        raise UserError(f"{root}: no audio file in {_FOLDERS[split]}/s1; every set needs some")
    for part in ("s2", *(["noise"] if parts["noise"] else [])):
        for name in sorted(parts["s1"].keys() ^ parts[part].keys()):
            lacking, there = ("s1", part) if name in parts[part] else (part, "s1")
            path = parts[there][name]
            raise UserError(
                f"{path}: no partner {folder / lacking / path.name}; every mixture needs both sources, and noise if "
                "others have it"
            )
    return [
        _Mixture(name, split, {part: files[name] for part, files in parts.items() if files})
        for name in sorted(parts["s1"])
    ]


def _item(mixture: _Mixture) -> Item:
    first = mixture.files["s1"]
    speakers = _NAME.fullmatch(mixture.id)
    if not speakers:
        raise UserError(f"{first}: no name of wsj0-2mix, such as 01to030v_0.76421_20ga010m_-0.76421.wav")
    headers = for_all(read_header, mixture.files.values())
    for path, header in zip(mixture.files.values(), headers, strict=True):
        if _facts(header) != _facts(headers[0]):
            raise UserError(
                f"{path}: {header.frames} samples at {header.sample_rate} Hz, but {first} has {headers[0].frames} at "
                f'{headers[0].sample_rate} Hz; files of a mixture in "min" mode agree: write the set again'
            )
    return Item(
        part="mixture2",
        id=mixture.id,
        owner=f"{speakers['first']}+{speakers['second']}",
        split=mixture.split,
        samples=headers[0].frames,
        sample_rate=headers[0].sample_rate,
    )


def _facts(header: Header) -> tuple[int, int]:
    return header.frames, header.sample_rate


RECIPE = Recipe(
    list_source,
    identity,
    summary="wsj0-2mix as its scripts write it, 8 kHz, min mode",
    source="the folder that holds tr/, cv/ and tt/ with s1/ and s2/ (and noise/ of WHAM)",
    published=(PUBLISHED,),
)
