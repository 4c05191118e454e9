"""What a source holds, before any audio is read: the result of every recipe."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.audio.corpus.remarks import Remarks
from trainables.audio.corpus.shards import MIXTURE_PARTS, SAMPLE_RATE
from trainables.base.errors import UserError
from trainables.base.paths import is_text, shown

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Item:
    """One future row of a corpus; its length comes from the file's header, at `sample_rate` (Hz)."""

    part: str  # "speech" | "noise" | "paired" | "mixture2" | "mixture3"
    id: str
    owner: str  # speaker or noise type; of a mixture, its speakers joined by "+"
    split: str
    samples: int
    sample_rate: int = SAMPLE_RATE
    text: str | None = None  # what is said, where the source has it

    @property
    def owners(self) -> list[str]:
        return self.owner.split("+") if self.part in MIXTURE_PARTS else [self.owner]

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate


@dataclass(frozen=True)
class Listing:
    """A source as its recipe lists it. `load(item)` returns a row's audio columns, int16 (samples,)."""

    kind: str  # "speech+noise" | "paired" | "mixtures"
    items: tuple[Item, ...]
    load: Callable[[Item], dict[str, NDArray[np.int16]]]  # may be called by several threads at once
    identity: str  # changes whenever the source's files or the recipe change
    notes: tuple[str, ...] = ()
    remarks: Remarks = field(default_factory=Remarks)  # what `load` finds in the audio
    synthetic: bool = False
    shared_types: bool = False  # noise types may be in several splits, each recording in one
    sample_rate: int = SAMPLE_RATE


def summarise(listing: Listing) -> dict[str, Any]:
    """Plain counts: speakers, noise types and seconds, in total and per split."""
    per_split = {split: _counts([item for item in listing.items if item.split == split]) for split in SPLITS}
    return {
        "kind": listing.kind,
        "synthetic": listing.synthetic,
        "sample_rate": listing.sample_rate,
        **_counts(list(listing.items)),
        "splits": per_split,
        "notes": [*listing.notes, *listing.remarks.notes()],
    }


def require_answerable(listing: Listing, where: str) -> None:
    """Every split needs voices and noises of its own.

    Raises:
        UserError: a split lacks voices or noises, shares one with another split, or an id is not UTF-8.
    """
    require_utf8({item.id for item in listing.items}, where)
    parts = ("paired",) if listing.kind == "paired" else ("speech", "noise")
    for part in parts:
        items = [item for item in listing.items if item.part == part]
        if not (part == "noise" and listing.shared_types):
            _require_disjoint(items, _owner_word(part), where)
        for split in SPLITS:
            if not any(item.split == split for item in items):
                raise UserError(
                    f"{where}: no {part} in split {split!r}; every split (train, valid, test) needs some: "
                    "add files, or choose the splits in MANIFEST.csv"
                )


def assign_splits(owners: set[str], part: str, where: str) -> dict[str, str]:
    """Owner -> split by a stable hash: a tenth each to valid and test, at least one owner in every split.

    Raises:
        UserError: fewer than three owners, so that three splits cannot be disjoint.
    """
    word = _owner_word(part)
    require_utf8(owners, where)
    if len(owners) < len(SPLITS):
        raise UserError(
            f"{where}: {len(owners)} {word}{'s' * (len(owners) != 1)} ({', '.join(sorted(owners))}); at "
            f"least 3 are needed, since no {word} may be in two of train, valid and test: add more"
        )
    ordered = sorted(owners, key=lambda owner: hashlib.sha256(f"{part}/{owner}".encode()).digest())
    held_out = max(1, round(len(ordered) / 10))
    return splits_in_order(ordered, test=held_out, valid=held_out)


def splits_in_order(ordered: Sequence[str], test: int, valid: int) -> dict[str, str]:
    """The first `test` of a shuffled order to test, the next `valid` to valid, the rest to train."""
    return dict(zip(ordered, ["test"] * test + ["valid"] * valid + ["train"] * len(ordered), strict=False))


def digest(facts: Any) -> str:
    """A short hash of plain facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def require_utf8(names: set[str], where: str) -> None:
    """A corpus keeps names as UTF-8, and shows them in a line; file systems keep any bytes."""
    for name in sorted(names):
        if not is_text(name):
            raise UserError(f"{where}: the name '{shown(name)}' holds a control character or is not UTF-8; rename it")


def _counts(items: list[Item]) -> dict[str, Any]:
    spoken = [item for item in items if item.part != "noise"]
    noises = [item for item in items if item.part == "noise"]
    transcribed = sum(item.text is not None for item in spoken)
    known = {"transcribed": transcribed, "longest_seconds": max(item.seconds for item in spoken)} if transcribed else {}
    return {
        "speakers": len({name for item in spoken for name in item.owners}),
        "utterances": len(spoken),
        "speech_seconds": round(sum(item.seconds for item in spoken), 3),
        "noise_types": len({item.owner for item in noises}),
        "noises": len(noises),
        "noise_seconds": round(sum(item.seconds for item in noises), 3),
        **known,
    }


def _require_disjoint(items: list[Item], word: str, where: str) -> None:
    home: dict[str, str] = {}
    for item in items:
        if home.setdefault(item.owner, item.split) != item.split:
            raise UserError(
                f"{where}: {word} {item.owner!r} is in two splits ({home[item.owner]} and {item.split}); "
                f"a {word} may be in one only: move the files, or choose the splits in MANIFEST.csv"
            )


def _owner_word(part: str) -> str:
    return "noise type" if part == "noise" else "speaker"
