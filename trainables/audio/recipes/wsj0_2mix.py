"""The `wsj0-2mix` recipe: the generated sets, 8 kHz "min", source by source.

    SOURCE/{tr,cv,tt}/{s1,s2}/*.wav       as written by the original or the WHAM scripts
    SOURCE/{tr,cv,tt}/noise/*.wav         of WHAM, where voices in noise are wanted for pre-training

SOURCE may also be a folder above that holds wav8k/min. The mixture is the sum of its sources; mixture files are
not read. The material is licensed by the LDC.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import find_audio, read_header
from trainables.audio.corpus.listing import SPLITS, Item, Listing, digest
from trainables.audio.recipes.recipe import Recipe
from trainables.audio.recipes.recordings import file_facts
from trainables.base.errors import UserError

VERSION = 1  # raise it when the same files would give another corpus
_FOLDERS = {"train": "tr", "valid": "cv", "test": "tt"}
_BELOW = (".", "wav8k/min", "2speakers/wav8k/min")
# "01to030v_0.76421_20ga010m_-0.76421": utterance, level, utterance, level; a speaker is three characters.
_NAME = re.compile(r"(?P<first>\w{3})\w*_-?[\d.]+_(?P<second>\w{3})\w*_-?[\d.]+")


def identity(source: Path) -> str:
    """A hash of the first sources' paths, sizes and times of change."""
    root = _root(source)
    files = [path for folder in _FOLDERS.values() for path in find_audio(root / folder / "s1")]
    return digest(["wsj0-2mix", VERSION, file_facts(root, files)])


def list_source(source: Path) -> Listing:
    """Every mixture of the three sets, from headers only.

    Raises:
        UserError: a set or a partner is missing, a header is damaged, or a name is not wsj0-2mix's.
    """
    root = _root(source)
    items = tuple(_item(root, split, path) for split in SPLITS for path in find_audio(root / _FOLDERS[split] / "s1"))
    for split in SPLITS:
        if not any(item.split == split for item in items):
            raise UserError(f"{root}: no .wav file in {_FOLDERS[split]}/s1; every set needs some")

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        names = {part: root / _FOLDERS[item.split] / part / f"{item.id}.wav" for part in ("s1", "s2", "noise")}
        voices = {part: _read(names[part]) for part in ("s1", "s2")}
        noise = _read(names["noise"]) if names["noise"].is_file() else np.zeros(0, np.int16)
        shortest = min(map(len, voices.values()))
        return {part: signal[:shortest] for part, signal in {**voices, "noise": noise}.items()}

    rates = {item.sample_rate for item in items}
    if len(rates) > 1:
        raise UserError(f"{root}: files at {' and '.join(map(str, sorted(rates)))} Hz; all must have one rate")
    return Listing(kind="mixtures", items=items, load=load, identity=identity(source), sample_rate=rates.pop())


def _root(source: Path) -> Path:
    for below in _BELOW:
        if (source / below / "tr" / "s1").is_dir():
            return (source / below).resolve()
    raise UserError(f"{source}: no wsj0-2mix there; it should hold tr, cv and tt with s1 and s2, or wav8k/min")


def _item(root: Path, split: str, path: Path) -> Item:
    name = path.stem
    partner = root / _FOLDERS[split] / "s2" / path.name
    if not partner.is_file():
        raise UserError(f"{path}: no partner {partner}; every mixture needs both sources")
    speakers = _NAME.fullmatch(name)
    if not speakers:
        raise UserError(f"{path}: no name of wsj0-2mix, such as 01to030v_0.76421_20ga010m_-0.76421.wav")
    headers = [read_header(each) for each in (path, partner)]
    return Item(
        part="mixture2",
        id=name,
        owner=f"{speakers['first']}+{speakers['second']}",
        split=split,
        samples=min(header.frames for header in headers),
        sample_rate=headers[0].sample_rate,
    )


def _read(path: Path) -> NDArray[np.int16]:
    import soundfile

    samples, _ = soundfile.read(str(path), dtype="int16")
    return samples[:, 0] if samples.ndim > 1 else samples


RECIPE = Recipe(
    list_source,
    identity,
    summary="wsj0-2mix as its scripts write it, 8 kHz, min mode",
    source="the folder that holds tr/, cv/ and tt/ with s1/ and s2/ (and noise/ of WHAM)",
)
