"""What an hour of corpus costs, from six minutes to a hundred hours of made-up speech and noise in rows of ten seconds.

Written are real shards with their checksums. The cost of decoding recordings is left out: that is the sound library's.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.findings import Curve, Finding
from benchmarks.harness.part import Context
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.corpus.listing import Item, Listing
from trainables.audio.corpus.shards import SAMPLE_RATE
from trainables.audio.examples.mixing import training_batch
from trainables.job.assignment import DataSettings

HOURS = (0.1, 1.0, 10.0, 100.0)
ROW = 10 * SAMPLE_RATE  # samples
_SPARE = 5e9  # bytes to leave on the disk
_BATCHES = 50


@dataclass(frozen=True)
class Grown:
    """Of a corpus of some hours: seconds to write it, to open it, and to draw a batch from it."""

    write: float
    open: float
    batch: float


def measure(context: Context) -> list[Finding]:
    found: dict[float, Grown] = {}
    skipped = ""
    for hours in HOURS if not context.small else (0.02, 0.05):
        if shutil.disk_usage(context.folder).free < 2 * hours * 3600 * SAMPLE_RATE + _SPARE:
            skipped = f"; {hours:g} hours did not fit on the disk"
            continue
        context.say(f"{hours:g} hours")
        found[hours] = _grown(hours, context.folder / "corpus")
    return [
        Curve(what=what, x="hours of corpus", y=unit, points=tuple(points), why=f"{why}{skipped}")
        for what, unit, why, points in (
            (
                "writing a corpus",
                "s an hour",
                "a small corpus pays for its locks and notes, a large one for the disk",
                [(hours, each.write / hours) for hours, each in found.items()],
            ),
            (
                "opening a corpus and its tables",
                "ms",
                "every row's id and length is read, no audio",
                [(hours, 1000 * each.open) for hours, each in found.items()],
            ),
            (
                "a batch of 8 x 1 s",
                "ms",
                "rows are views of mapped files; the level of a row is measured when it is first drawn",
                [(hours, 1000 * each.batch) for hours, each in found.items()],
            ),
        )
    ]


def _grown(hours: float, folder: Path) -> Grown:
    listing = _listing(hours)
    start = time.perf_counter()
    write_corpus(listing, folder, cache=folder.parent / "cache")
    written = time.perf_counter()
    corpus = Corpus.open(folder)
    rows = len(corpus.speech("train")) + len(corpus.noise("train"))
    assert rows > 0
    opened = time.perf_counter()
    for step in range(_BATCHES):
        training_batch(corpus, DataSettings(), 0, step)
    drawn = time.perf_counter()
    del corpus
    shutil.rmtree(folder)
    return Grown(written - start, opened - written, (drawn - opened) / _BATCHES)


def _listing(hours: float) -> Listing:
    """Nine tenths speech, by ten to a thousand speakers; every row has audio of its own."""
    count = max(30, round(hours * 3600 * SAMPLE_RATE / ROW))
    owners = max(3, min(1000, count // 30))
    items = [_item("noise" if number % 10 == 0 else "speech", number, owners) for number in range(count)]
    sound = (np.random.default_rng(0).standard_normal(ROW) * 3000).astype(np.int16)

    def load(item: Item) -> dict[str, NDArray[np.int16]]:
        return {"audio": np.roll(sound, int(item.id.rpartition("-")[2]))}

    return Listing(kind="speech+noise", items=tuple(items), load=load, identity=f"made up, {hours} h", synthetic=True)


def _item(part: str, number: int, owners: int) -> Item:
    owner = (number // 10 if part == "noise" else number) % owners
    split = ("test", "valid", "train")[min(owner, 2)]
    return Item(part, f"{part}-{number}", f"{part}{owner}", split, ROW)
