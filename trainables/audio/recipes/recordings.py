"""What recipes share: recordings before their headers are read, and the listings of a corpus of either kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import Header, conversion_notes, read_audio, read_header
from trainables.audio.corpus.listing import Item, Listing
from trainables.base.errors import UserError


@dataclass(frozen=True)
class Recording:
    """A future row of a corpus. `path` is the clean file of a pair; `owner` a speaker or a noise type."""

    part: str
    id: str
    owner: str
    path: Path
    split: str = ""


def file_facts(folder: Path, files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Path below `folder`, bytes and time of change (ns) of every file, for an identity; opens none."""
    stats = ((path.relative_to(folder).as_posix(), path.stat()) for path in files)
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _items(recordings: Sequence[Recording], headers: Sequence[Header]) -> tuple[Item, ...]:
    """Rows with the lengths that the headers give, in samples at 16 kHz."""
    return tuple(
        Item(part=each.part, id=each.id, owner=each.owner, split=each.split, samples=header.samples)
        for each, header in zip(recordings, headers, strict=True)
    )


def pairs(
    recordings: Sequence[Recording], noisy: Mapping[str, Path], identity: str, remedy: str, notes: Iterable[str] = ()
) -> Listing:
    """A corpus of kind "paired", from headers only; `noisy` has each recording's noisy file by id.

    Raises:
        UserError: a header cannot be read, or those of a pair differ in length or rate, which `remedy` repairs.
    """
    headers = [read_header(each.path) for each in recordings]
    noisy_headers = [read_header(noisy[each.id]) for each in recordings]
    for each, clean, other in zip(recordings, headers, noisy_headers, strict=True):
        if (clean.frames, clean.sample_rate) != (other.frames, other.sample_rate):
            raise UserError(
                f"{each.path}: {clean.frames} samples at {clean.sample_rate} Hz, but {noisy[each.id]} has "
                f"{other.frames} at {other.sample_rate} Hz; both must agree: {remedy}"
            )
    paths = {each.id: each.path for each in recordings}

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        return {"clean": read_audio(paths[item.id]), "noisy": read_audio(noisy[item.id])}

    return Listing(
        kind="paired",
        items=_items(recordings, headers),
        load=load,
        identity=identity,
        notes=(*conversion_notes([*headers, *noisy_headers]), *notes),
    )


def speech_and_noise(
    recordings: Sequence[Recording], identity: str, notes: Iterable[str] = (), shared_types: bool = False
) -> Listing:
    """A corpus of kind "speech+noise", from headers only; `notes` follow those on conversions.

    Raises:
        UserError: a header cannot be read.
    """
    headers = [read_header(each.path) for each in recordings]
    paths = {(each.part, each.id): each.path for each in recordings}

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        return {"audio": read_audio(paths[item.part, item.id])}

    return Listing(
        kind="speech+noise",
        items=_items(recordings, headers),
        load=load,
        identity=identity,
        notes=(*conversion_notes(headers), *notes),
        shared_types=shared_types,
    )
