"""Shards: uncompressed Arrow IPC files of utterances, written once, then memory-mapped.

Audio is `large_list<int16>` (a `list` overflows at 37 h of audio) in record batches of at most 256
utterances; a shard is at most 1 GiB. Rows are read as numpy views of the mapped file, so opening reads
headers only and pickling one utterance never pickles its batch.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz, of every corpus but those of stored mixtures, which may keep 8000
SHARD_BYTES = 2**30
BATCH_ROWS = 256

# Audio columns by part: a corpus has the parts speech and noise, or paired, or one of the mixtures.
AUDIO_COLUMNS: dict[str, tuple[str, ...]] = {
    "speech": ("audio",),
    "noise": ("audio",),
    "paired": ("clean", "noisy"),
    "mixture2": ("s1", "s2", "noise"),
    "mixture3": ("s1", "s2", "s3", "noise"),
}
OWNER_COLUMN = {part: "type" if part == "noise" else "speaker" for part in AUDIO_COLUMNS}
MIXTURE_PARTS = ("mixture2", "mixture3")


@dataclass(frozen=True)
class Row:
    """One utterance or noise recording. `owner` is its speaker or noise type; audio is int16 (samples,)."""

    id: str
    owner: str
    split: str
    audio: dict[str, NDArray[np.int16]]
    sample_rate: int = SAMPLE_RATE
    text: str | None = None  # what is said, where the source has it

    @property
    def samples(self) -> int:
        return len(next(iter(self.audio.values())))


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The entry of one shard in corpus.json; size and checksum show whether a copy is complete."""

    name: str
    part: str
    split: str
    rows: int
    seconds: float
    bytes: int
    sha256: str


def write_shard(path: Path, name: str, part: str, split: str, rows: Iterable[Row], transcribed: bool = False) -> Shard:
    """Write `rows` to `path`; the same rows give the same bits. `name` is the shard's final name.

    There is a column of texts only where the shard is `transcribed`.
    """
    import pyarrow as pa

    schema = _schema(part, transcribed)
    count, samples, sample_rate = 0, 0, SAMPLE_RATE
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in _batched(rows):
            writer.write_batch(_record_batch(part, schema, batch))
            count += len(batch)
            samples += sum(row.samples for row in batch)
            sample_rate = batch[0].sample_rate
    return Shard(
        name=name,
        part=part,
        split=split,
        rows=count,
        seconds=samples / sample_rate,
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ShardReader:
    """A memory-mapped shard: small columns as lists, audio as numpy views.

    Attributes: `ids`, `owners` (speakers or noise types), `seconds` and `texts` (None = unknown), one entry a row.
    """

    def __init__(self, path: Path, part: str) -> None:
        import pyarrow as pa

        with pa.memory_map(str(path)) as mapped:
            reader = pa.ipc.open_file(mapped)
            batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        self.ids, self.owners, self.seconds = (
            [value for batch in batches for value in batch.column(name).to_pylist()]
            for name in ("id", OWNER_COLUMN[part], "seconds")
        )
        self.texts: list[str | None] = [None] * len(self.ids)
        if "text" in reader.schema.names:
            self.texts = [text for batch in batches for text in batch.column("text").to_pylist()]
        self._audio = {
            name: [view for batch in batches for view in _views(batch.column(name))] for name in AUDIO_COLUMNS[part]
        }

    def view(self, column: str, row: int) -> NDArray[np.int16]:
        """The samples of one row, (samples,), as a view of the mapped file."""
        return self._audio[column][row]


def _schema(part: str, transcribed: bool) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            (OWNER_COLUMN[part], pa.string()),
            ("split", pa.string()),
            ("sample_rate", pa.int32()),
            ("seconds", pa.float64()),
            *([("text", pa.string())] if transcribed else []),
            *((name, pa.large_list(pa.int16())) for name in AUDIO_COLUMNS[part]),
        ]
    )


def _record_batch(part: str, schema: Any, rows: list[Row]) -> Any:
    import pyarrow as pa

    columns = [
        pa.array([row.id for row in rows], pa.string()),
        pa.array([row.owner for row in rows], pa.string()),
        pa.array([row.split for row in rows], pa.string()),
        pa.array([row.sample_rate for row in rows], pa.int32()),
        pa.array([row.samples / row.sample_rate for row in rows], pa.float64()),
        *([pa.array([row.text for row in rows], pa.string())] if "text" in schema.names else []),
        *(_lists([row.audio[name] for row in rows]) for name in AUDIO_COLUMNS[part]),
    ]
    return pa.record_batch(columns, schema=schema)


def _lists(arrays: list[NDArray[np.int16]]) -> Any:
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(arrays), pa.int16()))


def _views(column: Any) -> Iterator[NDArray[np.int16]]:
    # Not `to_numpy`, which imports all of pandas.
    offsets = np.from_dlpack(column.offsets)
    values = np.asarray(np.from_dlpack(column.values), np.int16)
    return (values[start:stop] for start, stop in pairwise(offsets))


def _batched(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch
