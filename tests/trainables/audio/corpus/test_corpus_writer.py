"""Preparing goes on where it was interrupted and ends in the same bits."""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.audio.recordings import speech_and_noise, write_sound
from trainables.audio.corpus.corpus_writer import plan_shards, write_corpus
from trainables.audio.corpus.listing import Item
from trainables.audio.corpus.shards import BATCH_ROWS, Row, ShardReader, write_shard
from trainables.audio.recipes import folder as folder_recipe
from trainables.base.errors import UserError

SMALL = 30_000  # bytes a shard: one or two of the miniature utterances

KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from trainables.audio.recipes import folder as folder_recipe
from trainables.audio.corpus.corpus_writer import write_corpus

def progress(done, total):
    if done == 7:
        os.kill(os.getpid(), signal.SIGKILL)

*folders, shard_bytes = sys.argv[1:]
source, target, cache = map(Path, folders)
write_corpus(folder_recipe.list_source(source), target, progress, cache, shard_bytes=int(shard_bytes))
"""


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "corpus.json"}


def test_a_killed_run_is_continued_to_the_same_bits(tmp_path: Path) -> None:
    source = speech_and_noise(tmp_path / "source")
    listing = folder_recipe.list_source(source)
    whole = write_corpus(listing, tmp_path / "whole", cache=tmp_path, shard_bytes=SMALL)

    folders = [str(folder) for folder in (source, tmp_path / "killed", tmp_path)]
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, *folders, str(SMALL)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "corpus.json").exists()
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("*.arrow")}
    assert finished

    resumed = write_corpus(listing, tmp_path / "killed", cache=tmp_path, shard_bytes=SMALL)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert resumed.fingerprint == whole.fingerprint
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_a_finished_shard_that_was_damaged_since_is_written_again(tmp_path: Path) -> None:
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(listing, tmp_path / "corpus", stop, tmp_path, shard_bytes=SMALL)
    shard = min((tmp_path / "corpus").glob("*.arrow"))
    shard.write_bytes(bytes(shard.stat().st_size))
    write_corpus(listing, tmp_path / "corpus", cache=tmp_path, shard_bytes=SMALL)
    write_corpus(listing, tmp_path / "whole", cache=tmp_path, shard_bytes=SMALL)
    assert content(tmp_path / "corpus") == content(tmp_path / "whole")


def test_progress_counts_every_row(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))
    write_corpus(listing, tmp_path / "corpus", lambda *state: seen.append(state), tmp_path)
    assert seen == [(done, 11) for done in range(1, 12)]


def test_the_same_source_again_changes_nothing(tmp_path: Path) -> None:
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))
    write_corpus(listing, tmp_path / "corpus", cache=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").iterdir()}
    write_corpus(listing, tmp_path / "corpus", cache=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").iterdir()} == before


def test_another_source_is_refused(tmp_path: Path) -> None:
    source = speech_and_noise(tmp_path / "source")
    write_corpus(folder_recipe.list_source(source), tmp_path / "corpus", cache=tmp_path)
    write_sound(source / "speech/ann/new.wav")
    with pytest.raises(UserError, match="already holds a corpus of another source"):
        write_corpus(folder_recipe.list_source(source), tmp_path / "corpus", cache=tmp_path)


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))
    with pytest.raises(UserError, match=r"cannot write to .*target: File exists"):
        write_corpus(listing, tmp_path / "target", cache=tmp_path)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="not enough space in"):
        write_corpus(listing, tmp_path / "corpus", cache=tmp_path)


def test_shards_hold_one_part_and_split_and_stay_small() -> None:
    items = tuple(
        Item(part="speech", id=str(number), owner="ann", split=("train", "test")[number % 2], samples=1000)
        for number in range(10)
    )
    plan = plan_shards(items, shard_bytes=4000)
    assert {name: [int(item.id) for item in rows] for name, rows in plan.items()} == {
        "speech-train-00000.arrow": [0, 2],
        "speech-train-00001.arrow": [4, 6],
        "speech-train-00002.arrow": [8],
        "speech-test-00000.arrow": [1, 3],
        "speech-test-00001.arrow": [5, 7],
        "speech-test-00002.arrow": [9],
    }


def test_record_batches_hold_at_most_256_rows_and_keep_their_order(tmp_path: Path) -> None:
    import pyarrow as pa

    count = 2 * BATCH_ROWS + 3
    rows = [
        Row(id=str(n), owner="ann", split="train", audio={"audio": np.full(n % 7 + 1, n, np.int16)})
        for n in range(count)
    ]
    shard = write_shard(tmp_path / "a", "a", "speech", "train", rows)
    with pa.memory_map(str(tmp_path / "a")) as file:
        assert pa.ipc.open_file(file).num_record_batches == 3
    reader = ShardReader(tmp_path / "a", "speech")
    assert shard.rows == len(reader.ids) == count
    assert all(np.array_equal(reader.view("audio", n), rows[n].audio["audio"]) for n in range(count))
