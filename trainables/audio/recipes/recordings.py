"""What recipes share: recordings before their headers are read, and the listings of a corpus of either kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.audio_files import Header, conversion_notes, read_audio, read_header
from trainables.audio.corpus.listing import Item, Listing
from trainables.audio.corpus.remarks import Remarks, for_all
from trainables.base.errors import UserError


@dataclass(frozen=True)
class Recording:
    """A future row of a corpus. `path` is the clean file of a pair; `owner` a speaker or a noise type."""

    part: str
    id: str
    owner: str
    path: Path
    split: str = ""
    text: str | None = None  # what is said, where the source has it


def file_facts(folder: Path, files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Path below `folder`, bytes and time of change (ns) of every file, for an identity; opens none."""
    stats = ((path.relative_to(folder).as_posix(), path.stat()) for path in files)
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Files by name without ending.

    Raises:
        UserError: two files have one name.
    """
    found: dict[str, Path] = {}
    for path in files:
        if found.setdefault(path.stem, path) != path:
            raise UserError(f"{path}: another file has this name, {found[path.stem]}: remove one of them")
    return found


def headers_of(recordings: Sequence[Recording], partners: Iterable[Path] = ()) -> dict[Recording, Header]:
    """The recordings' headers; those of their partners are looked at, too.

    Raises:
        UserError: a header cannot be used. Then all audio is read, so that one report names every bad file.
    """
    paths = [*(each.path for each in recordings), *partners]
    try:
        headers = for_all(read_header, paths)
    except UserError:
        for_all(read_audio, paths)
        raise
    return dict(zip(recordings, headers, strict=False))


def _items(headers: Mapping[Recording, Header]) -> tuple[Item, ...]:
    """Rows with the lengths that the headers give, in samples at 16 kHz."""
    return tuple(
        Item(part=each.part, id=each.id, owner=each.owner, split=each.split, samples=header.samples, text=each.text)
        for each, header in headers.items()
    )


def pairs(
    headers: Mapping[Recording, Header],
    noisy: Mapping[str, Path],
    identity: str,
    remedy: str,
    notes: Iterable[str] = (),
) -> Listing:
    """A corpus of kind "paired", from headers only; `noisy` has each recording's noisy file by id.

    Raises:
        UserError: a header cannot be read, or those of a pair differ in length or rate, which `remedy` repairs.
    """

    def noisy_header(each: Recording) -> Header:
        clean, other = headers[each], read_header(noisy[each.id])
        if (clean.frames, clean.sample_rate) != (other.frames, other.sample_rate):
            raise UserError(
                f"{each.path}: {clean.frames} samples at {clean.sample_rate} Hz, but {noisy[each.id]} has "
                f"{other.frames} at {other.sample_rate} Hz; both must agree: {remedy}"
            )
        return other

    noisy_headers = for_all(noisy_header, headers)
    paths = {each.id: each.path for each in headers}
    remarks = Remarks()

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        both = for_all(lambda path: read_audio(path, remarks=remarks), (paths[item.id], noisy[item.id]))
        return dict(zip(("clean", "noisy"), both, strict=True))

    return Listing(
        kind="paired",
        items=_items(headers),
        load=load,
        identity=identity,
        notes=(*conversion_notes([*headers.values(), *noisy_headers]), *notes),
        remarks=remarks,
    )


def speech_and_noise(
    headers: Mapping[Recording, Header], identity: str, notes: Iterable[str] = (), shared_types: bool = False
) -> Listing:
    """A corpus of kind "speech+noise"; `notes` follow those on conversions."""
    paths = {(each.part, each.id): each.path for each in headers}
    remarks = Remarks()

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        return {"audio": read_audio(paths[item.part, item.id], remarks=remarks)}

    return Listing(
        kind="speech+noise",
        items=_items(headers),
        load=load,
        identity=identity,
        notes=(*conversion_notes(headers.values()), *notes),
        remarks=remarks,
        shared_types=shared_types,
    )
