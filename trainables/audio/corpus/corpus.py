"""A prepared corpus: `corpus.json` and Arrow shards in a local folder or under an `s3://` prefix.

`corpus.json` is written last, so a folder that has it is complete. Shards on S3 are copied once per node into
the cache when a table of theirs is first used, so the test split is not read before it is needed.

    corpus = Corpus.open("s3://bucket/voices")
    speech = corpus.speech("train")
    speech.audio(0)                      # float32 (samples,) in [-1, 1] at 16 kHz
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.listing import SPLITS
from trainables.audio.corpus.node_copy import local_copy
from trainables.audio.corpus.shards import MIXTURE_PARTS, Shard, ShardReader
from trainables.base.cache import cache_folder
from trainables.base.errors import UserError
from trainables.base.storage.storage import InputStorage

CORPUS_FILE = "corpus.json"
FORMAT = 1


class Corpus:
    """Speech and noise, pairs of clean and noisy speech, or mixtures of voices, in three splits.

    It pickles as (uri, fingerprint): another process opens it again and refuses if it has changed.

    Attributes:
        uri: an absolute folder or s3://bucket/prefix.
        fingerprint: a hash of the content, the same wherever it lies.
        kind: "speech+noise", "paired" or "mixtures".
        sample_rate: 16000 Hz; 8000 Hz for some corpora of mixtures.
    """

    def __init__(self, place: InputStorage, description: dict[str, Any], cache: Path) -> None:
        self.uri = place.uri
        self.fingerprint: str = description["fingerprint"]
        self.kind: str = description["kind"]
        self.sample_rate: int = description["sample_rate"]
        self._place = place
        self._description = description
        self._cache = cache
        self._shards = [Shard(**shard) for shard in description["shards"]]
        self._readers: dict[str, ShardReader] = {}
        self._tables: dict[tuple[str, str, str], Table] = {}

    @staticmethod
    def open(uri: str | Path, cache: str | Path | None = None, fingerprint: str | None = None) -> "Corpus":
        """Open a prepared corpus; reads headers only.

        Args:
            uri: a local folder or s3://bucket/prefix with a corpus.json.
            cache: the cache folder for copies from S3; default as in `trainables.base.cache`.
            fingerprint: the one that the corpus must have; None = any.

        Raises:
            UserError: no corpus there, unknown format, a shard missing or cut short, or another fingerprint.
        """
        place = InputStorage(uri)
        description = read_description(place)
        if fingerprint is not None and description["fingerprint"] != fingerprint:
            raise UserError(
                f"the corpus at {place.uri} has changed: its fingerprint is {description['fingerprint']}, "
                f"{fingerprint} was expected; restore it, or start a new sweep"
            )
        corpus = Corpus(place, description, cache_folder(cache))
        corpus._require_whole()
        return corpus

    def summary(self) -> dict[str, Any]:
        """Plain facts: kind, synthetic, sample_rate, speakers, noise_types, seconds per split, notes."""
        return {**self._description["summary"], "fingerprint": self.fingerprint}

    @property
    def synthetic(self) -> bool:
        """Whether the recordings are generated, as the demo's are."""
        return bool(self._description["summary"]["synthetic"])

    def speech(self, split: str) -> "Table":
        """Clean speech of a split; of a paired corpus the clean sides, of mixtures the first voices."""
        if self.kind == "mixtures":
            return self.mixtures(split)
        return self._table("paired", split, "clean") if self.kind == "paired" else self._table("speech", split)

    def noise(self, split: str) -> "Table":
        """Noise recordings of a split."""
        return self._table("noise", split)

    def paired(self, split: str) -> "PairedTable":
        """Clean and noisy recordings of the same utterances."""
        table = self._table("paired", split, "clean")
        assert isinstance(table, PairedTable)
        return table

    def mixtures(self, split: str) -> "MixtureTable":
        """Mixtures of voices, source by source."""
        part = next((shard.part for shard in self._shards if shard.part in MIXTURE_PARTS), "mixture2")
        table = self._table(part, split, "s1")
        assert isinstance(table, MixtureTable)
        return table

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus.open, (self.uri, None, self.fingerprint)

    def _table(self, part: str, split: str, column: str = "audio") -> "Table":
        if part not in _PARTS[self.kind] or split not in SPLITS:
            raise ValueError(f"a {self.kind} corpus has no {part} {split}")
        key = (part, split, column)
        if key not in self._tables:
            self._tables[key] = _TABLES.get(part, Table)(self, part, split, column)
        return self._tables[key]

    def _reader(self, shard: Shard) -> ShardReader:
        if shard.name not in self._readers:
            folder = self._place.folder
            copies = self._cache / "corpora" / self.fingerprint
            path = folder / shard.name if folder else local_copy(self._place, shard, copies)
            self._readers[shard.name] = ShardReader(path, shard.part)
        return self._readers[shard.name]

    def _require_whole(self) -> None:
        """Local shards must have their size; copies from S3 are checksummed when they are made."""
        if self._place.folder is None:
            return
        for shard in self._shards:
            size = self._place.size(shard.name)
            if size != shard.bytes:
                found = "missing" if size is None else f"{size} bytes"
                raise UserError(
                    f"{self.uri}/{shard.name}: {found}, {shard.bytes} bytes expected; "
                    f"delete {CORPUS_FILE} there and prepare the corpus again (sweep/prepare.py)"
                )


class Table:
    """The rows of one part and split of a corpus; pickles as its corpus and name.

    Attributes: `ids`, `seconds`, `texts` (what is said, None = unknown), and `speakers`, of noise recordings `types`:
    one entry a row.
    """

    def __init__(self, corpus: Corpus, part: str, split: str, column: str) -> None:
        self.corpus = corpus
        self.split = split
        self._part = part
        self._column = column
        readers = [corpus._reader(s) for s in corpus._shards if s.part == part and s.split == split]
        self._rows = [(reader, row) for reader in readers for row in range(len(reader.ids))]
        self.ids: list[str] = [name for reader in readers for name in reader.ids]
        self.speakers = self.types = [owner for reader in readers for owner in reader.owners]
        self.seconds: list[float] = [seconds for reader in readers for seconds in reader.seconds]
        self.texts: list[str | None] = [text for reader in readers for text in reader.texts]

    def __len__(self) -> int:
        return len(self._rows)

    def samples(self, row: int) -> int:
        """The length of a row in samples."""
        return len(self._view(self._column, row))

    def audio(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples start..stop of a row, float32 in [-1, 1]; a copy, so it pickles alone."""
        return _to_float(self._view(self._column, row)[start:stop])

    def __reduce__(self) -> tuple[Any, ...]:
        return Corpus._table, (self.corpus, self._part, self.split, self._column)

    def _view(self, column: str, row: int) -> NDArray[np.int16]:
        reader, index = self._rows[row]
        return reader.view(column, index)


class PairedTable(Table):
    """Rows that carry a clean and a noisy recording; `audio` is the clean one."""

    clean = Table.audio

    def noisy(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """As `audio`, of the noisy recording."""
        return _to_float(self._view("noisy", row)[start:stop])


class MixtureTable(Table):
    """Rows that carry every voice of a mixture, and its noise if it was stored; `audio` is the first voice."""

    @property
    def voices(self) -> int:
        """Voices per mixture, 2 or 3."""
        return MIXTURE_PARTS.index(self._part) + 2

    @property
    def has_noise(self) -> bool:
        """Whether noise was stored with the mixtures."""
        return len(self) > 0 and len(self._view("noise", 0)) > 0

    def sources(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """(voices, samples) of a row."""
        names = [f"s{number}" for number in range(1, self.voices + 1)]
        return np.stack([_to_float(self._view(name, row)[start:stop]) for name in names])

    def noise(self, row: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """(samples,) of a row; empty where no noise was stored."""
        return _to_float(self._view("noise", row)[start:stop])


_PARTS = {"speech+noise": ("speech", "noise"), "paired": ("paired",), "mixtures": MIXTURE_PARTS}
_TABLES: dict[str, type[Table]] = {"paired": PairedTable} | dict.fromkeys(MIXTURE_PARTS, MixtureTable)


def read_description(place: InputStorage) -> dict[str, Any]:
    """corpus.json, checked for format; `UserError` if there is none."""
    try:
        description = json.loads(place.read(CORPUS_FILE))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"no corpus at {place.uri}: {CORPUS_FILE} is missing; check the path, or prepare a corpus with "
            "python sweep/prepare.py folder SOURCE TARGET"
        ) from error
    except UserError:  # out of reach or unreadable; it is a ValueError too
        raise
    except ValueError as error:
        raise UserError(f"{place.uri}/{CORPUS_FILE} is not JSON: prepare the corpus again") from error
    if not isinstance(description, dict):
        raise UserError(f"{place.uri}/{CORPUS_FILE} describes no corpus: restore it, or prepare the corpus again")
    if description.get("format") != FORMAT:
        raise UserError(
            f"{place.uri}/{CORPUS_FILE} has format {description.get('format')!r}, this version reads "
            f"{FORMAT}: prepare the corpus again"
        )
    for name in _damaged_entries(description):
        raise UserError(f"{place.uri}/{CORPUS_FILE} is damaged at {name!r}: restore it, or prepare the corpus again")
    return description


def _damaged_entries(description: dict[str, Any]) -> list[str]:
    """Entries that `describe` wrote and that are now missing or of another type."""
    kinds = {"kind": str, "fingerprint": str, "source": str, "sample_rate": int, "summary": dict, "shards": list}
    damaged = [name for name, kind in kinds.items() if not isinstance(description.get(name), kind)]
    if damaged:
        return damaged
    fields = Shard.__dataclass_fields__.keys()
    summary = description["summary"]
    sound = {
        "kind": description["kind"] in _PARTS,
        "shards": all(isinstance(shard, dict) and shard.keys() == fields for shard in description["shards"]),
        "summary": summary.keys() >= {"kind", "synthetic", "splits"}
        and isinstance(summary["splits"], dict)
        and all(isinstance(counts, dict) for counts in summary["splits"].values())
        and isinstance(summary.get("notes", []), list),
    }
    return [name for name, holds in sound.items() if not holds]


def describe(summary: dict[str, Any], shards: list[Shard], source: str) -> dict[str, Any]:
    """The content of corpus.json. `source` identifies the material it was prepared from, to recognise a rerun."""
    return {
        "format": FORMAT,
        "kind": summary["kind"],
        "sample_rate": summary["sample_rate"],
        "synthetic": summary["synthetic"],
        "fingerprint": _fingerprint(summary["kind"], summary["sample_rate"], shards),
        "source": source,
        "summary": summary,
        "shards": [asdict(shard) for shard in shards],
    }


def _fingerprint(kind: str, sample_rate: int, shards: list[Shard]) -> str:
    facts = [FORMAT, kind, sample_rate, [(shard.part, shard.split, shard.sha256) for shard in shards]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _to_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return samples.astype(np.float32) * np.float32(1 / 32768)
