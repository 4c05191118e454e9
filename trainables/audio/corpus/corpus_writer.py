"""From a listing to a corpus on disk or S3: shard by shard, so that an interrupted run can be resumed.

Which rows go into which shard follows from the headers alone. Each finished shard gets a note
with its checksum; a later run keeps the shards whose notes match and writes the others, which gives the same
bits as one run. `corpus.json` is written last, then the notes are deleted.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from trainables.audio.corpus.corpus import CORPUS_FILE, Corpus, describe, read_description
from trainables.audio.corpus.listing import Item, Listing, digest, summarise
from trainables.audio.corpus.remarks import report
from trainables.audio.corpus.shards import AUDIO_COLUMNS, BATCH_ROWS, SHARD_BYTES, Row, Shard, file_sha256, write_shard
from trainables.base.cache import LOCK_REMEDY, cache_folder, require_free_space
from trainables.base.cores import usable_cores
from trainables.base.errors import UserError
from trainables.base.locked import locked
from trainables.base.storage.storage import InputStorage

Progress = Callable[[int, int], None]  # (rows done, rows in all)


def write_corpus(
    listing: Listing,
    target: str | Path,
    progress: Progress | None = None,
    cache: str | Path | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Corpus:
    """Write the listing's corpus to `target`, a local folder or s3://, and open it.

    Args:
        progress: called with (done, total) in rows as they are written.
        shard_bytes: the largest shard; a single longer recording gets a shard of its own.

    Raises:
        UserError: the target holds another corpus or cannot be written, or recordings are damaged or silent; then
            one report names them, and nothing is left at the target.
    """
    place = InputStorage(target)
    new = place.folder is not None and not place.folder.exists()
    with _staging_folder(place, cache_folder(cache)) as folder:
        if place.size(CORPUS_FILE) is None:
            try:
                _write_shards(listing, place, folder, progress, shard_bytes)
            except UserError:
                if new:
                    with suppress(OSError):  # not empty
                        folder.rmdir()
                raise
        elif read_description(place)["source"] != listing.identity:
            raise UserError(
                f"{place.uri} already holds a corpus of another source, or of files changed since; "
                "choose another target or delete it"
            )
    return Corpus.open(target, cache)


def shared_copy(corpus: Corpus, base: str) -> Corpus:
    """The corpus at `base`/<fingerprint>, copied there first if it is not there yet.

    `base` is an s3:// prefix; a corpus that lies on S3 already is returned as it is. corpus.json comes last, so an
    interrupted copy is not taken for a corpus, and the next one replaces it.
    """
    home = InputStorage(corpus.uri)
    if home.folder is None:
        return corpus
    target = InputStorage(f"{base}/{corpus.fingerprint}")
    if target.size(CORPUS_FILE) is None:
        for shard in read_description(home)["shards"]:
            target.upload(home.folder / shard["name"], shard["name"])
        target.write(CORPUS_FILE, home.read(CORPUS_FILE))
    return Corpus.open(target.uri, fingerprint=corpus.fingerprint)


def plan_shards(items: tuple[Item, ...], shard_bytes: int) -> dict[str, list[Item]]:
    """Rows by shard name: one part and split each, in the listing's order, at most `shard_bytes` of audio."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        groups.setdefault((item.part, item.split), []).append(item)
    return {
        f"{part}-{split}-{number:05d}.arrow": rows
        for (part, split), members in groups.items()
        for number, rows in enumerate(_fill(members, shard_bytes))
    }


def _write_shards(
    listing: Listing, place: InputStorage, folder: Path, progress: Progress | None, shard_bytes: int
) -> None:
    plan = plan_shards(listing.items, shard_bytes)
    finished = {name: _finished_shard(place, listing, name, rows) for name, rows in plan.items()}
    sizes = [sum(map(_bytes, rows)) for name, rows in plan.items() if not finished[name]]
    require_free_space(folder, sum(sizes) if place.folder else max(sizes, default=0))
    meter = _Meter(listing, progress)
    damaged: list[str] = []
    shards = []
    for name, rows in plan.items():
        shard = finished[name]
        if shard:
            meter.advance(len(rows))
        shards.append(shard or _new_shard(place, folder, listing, name, rows, meter, damaged))
    if damaged:
        for name in plan:
            place.delete(name)
            place.delete(_note_name(name))
        raise report(damaged)
    description = describe(summarise(listing), shards, listing.identity)
    place.write(CORPUS_FILE, json.dumps(description, indent=1).encode())
    for name in plan:
        place.delete(_note_name(name))


def _new_shard(
    place: InputStorage,
    folder: Path,
    listing: Listing,
    name: str,
    items: list[Item],
    meter: "_Meter",
    damaged: list[str],
) -> Shard:
    unfinished = folder / f"{name}.partial"
    known = len(listing.remarks)
    rows = _rows(listing, items, meter, damaged)
    transcribed = any(item.text is not None for item in items)
    written = write_shard(unfinished, name, items[0].part, items[0].split, rows, transcribed)
    place.move_in(unfinished, name)
    note = {
        "source": _shard_identity(listing, items),
        "shard": asdict(written),
        "remarks": listing.remarks[known:],
    }
    place.write(_note_name(name), json.dumps(note).encode())
    return written


def _finished_shard(place: InputStorage, listing: Listing, name: str, items: list[Item]) -> Shard | None:
    """The shard as an earlier run left it, None if it did not get so far or the file is not what it wrote."""
    try:
        note = json.loads(place.read(_note_name(name)))
    except (FileNotFoundError, ValueError):
        return None
    shard = Shard(**note["shard"])
    if note["source"] != _shard_identity(listing, items) or place.size(name) != shard.bytes:
        return None
    if place.folder is not None and file_sha256(place.folder / name) != shard.sha256:
        return None
    listing.remarks.extend((kind, file) for kind, file in note.get("remarks", ()))
    return shard


def _rows(listing: Listing, items: list[Item], meter: "_Meter", damaged: list[str]) -> Iterator[Row]:
    """Rows in order, decoded on a few threads (libsndfile and soxr release the interpreter's lock).

    Once a recording is `damaged`, the others are only looked at, so that one report names all of them.
    """
    with ThreadPoolExecutor(min(4, usable_cores())) as pool:
        for start in range(0, len(items), BATCH_ROWS):
            batch = items[start : start + BATCH_ROWS]
            for item, audio in zip(batch, pool.map(partial(_load, listing), batch), strict=True):
                if isinstance(audio, UserError):
                    damaged.append(str(audio))
                if not damaged:
                    assert set(audio) == set(AUDIO_COLUMNS[item.part])
                    yield Row(item.id, item.owner, item.split, audio, item.sample_rate, item.text)
                meter.advance(1)


def _load(listing: Listing, item: Item) -> Any:
    try:
        return listing.load(item)
    except UserError as error:
        return error


class _Meter:
    """Counts finished rows and reports them."""

    def __init__(self, listing: Listing, progress: Progress | None) -> None:
        self._total = len(listing.items)
        self._done = 0
        self._progress = progress

    def advance(self, rows: int) -> None:
        self._done += rows
        if self._progress:
            self._progress(self._done, self._total)


@contextmanager
def _staging_folder(place: InputStorage, cache: Path) -> Iterator[Path]:
    """The folder where shards are written before they get their names; one process at a time per target."""
    locks = cache / "locks"
    for wanted in (locks, *([place.folder] if place.folder else [])):
        _make_writable(wanted)
    with locked(locks / f"{digest(place.uri)}.lock", LOCK_REMEDY):
        if place.folder:
            yield place.folder
        else:
            with tempfile.TemporaryDirectory(dir=cache, prefix="prepare-") as folder:
                yield Path(folder)


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; choose another target or cache") from error


def _fill(items: list[Item], shard_bytes: int) -> list[list[Item]]:
    shards: list[list[Item]] = [[]]
    filled = 0
    for item in items:
        if shards[-1] and filled + _bytes(item) > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(item)
        filled += _bytes(item)
    return shards


def _bytes(item: Item) -> int:
    return 2 * item.samples * len(AUDIO_COLUMNS[item.part])


def _shard_identity(listing: Listing, items: list[Item]) -> str:
    return digest([listing.identity, [item.id for item in items]])


def _note_name(name: str) -> str:
    return f"{name}.json"
