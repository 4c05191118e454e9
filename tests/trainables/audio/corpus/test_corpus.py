"""An opened corpus: cheap to open, cheap to hand to another process, and never silently another one."""

import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from tests.support.audio.recordings import SPEAKERS, speech_and_noise, write_sound
from trainables.audio.corpus.corpus import Corpus, read_description
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.recipes import folder as folder_recipe
from trainables.audio.recipes.preparation import inspect_source
from trainables.base.errors import UserError


def copy_of(corpus: Corpus, folder: Path) -> Path:
    return Path(shutil.copytree(corpus.uri, folder / "copy"))


def test_audio_is_what_the_files_hold(mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    source = Path(mixed_corpus.uri).parent / "source"
    for row, name in enumerate(speech.ids):
        path = next((source / "speech").glob(f"{name}.*"))
        expected, _ = soundfile.read(path, dtype="float32")
        assert np.array_equal(speech.audio(row), expected)
        assert speech.speakers[row] == name.split("/")[0]
        assert speech.seconds[row] == len(expected) / 16_000


def test_a_crop_is_a_part_of_the_whole(mixed_corpus: Corpus) -> None:
    noise = mixed_corpus.noise("valid")
    assert np.array_equal(noise.audio(0, 100, 300), noise.audio(0)[100:300])
    assert noise.samples(0) == len(noise.audio(0))


def test_shards_are_arrow_files_that_anyone_can_read(mixed_corpus: Corpus) -> None:
    with pa.memory_map(str(Path(mixed_corpus.uri) / "speech-train-00000.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.column_names == ["id", "speaker", "split", "sample_rate", "seconds", "audio"]
    assert table.schema.field("audio").type == pa.large_list(pa.int16())
    assert set(table.column("split").to_pylist()) == {"train"}
    assert set(table.column("sample_rate").to_pylist()) == {16_000}


def test_the_summary_counts_everything(mixed_corpus: Corpus) -> None:
    summary = mixed_corpus.summary()
    assert summary["speakers"] == len(SPEAKERS)
    assert summary["synthetic"] is False
    assert summary["noise_types"] == 3
    assert sum(split["utterances"] for split in summary["splits"].values()) == summary["utterances"] == 8
    assert summary["speech_seconds"] == pytest.approx(4 * (1.6 + 2.4))
    assert summary["fingerprint"] == mixed_corpus.fingerprint


def test_clean_sides_of_pairs_are_its_speech(paired_corpus: Corpus) -> None:
    pairs, speech = paired_corpus.paired("train"), paired_corpus.speech("train")
    assert speech.ids == pairs.ids
    assert np.array_equal(pairs.clean(0), speech.audio(0))
    assert np.abs(pairs.noisy(0) - pairs.clean(0)).std() > 0


def test_it_pickles_as_its_place_and_fingerprint(mixed_corpus: Corpus) -> None:
    packed = pickle.dumps(mixed_corpus)
    assert len(packed) < 500
    assert pickle.loads(packed).summary() == mixed_corpus.summary()


def test_tables_pickle_as_names_and_single_rows_alone(mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    assert len(pickle.dumps(speech)) < 700
    assert np.array_equal(pickle.loads(pickle.dumps(speech)).audio(1), speech.audio(1))
    assert len(pickle.dumps(speech.audio(0))) < 4 * speech.samples(0) + 300


def test_a_pickled_corpus_refuses_to_come_back_as_another(mixed_corpus: Corpus, tmp_path: Path) -> None:
    folder = copy_of(mixed_corpus, tmp_path)
    packed = pickle.dumps(Corpus.open(folder))
    description = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps({**description, "fingerprint": "another"}))
    with pytest.raises(UserError, match="has changed"):
        pickle.loads(packed)


def test_the_fingerprint_is_of_the_content_not_the_place(mixed_corpus: Corpus, tmp_path: Path) -> None:
    same = speech_and_noise(tmp_path / "elsewhere", seconds=1.6)
    again = write_corpus(folder_recipe.list_source(same), tmp_path / "again", cache=tmp_path)
    assert again.fingerprint == mixed_corpus.fingerprint
    write_sound(same / "noise/hum/hum.wav", seconds=6.4, level=0.2)
    other = write_corpus(folder_recipe.list_source(same), tmp_path / "other", cache=tmp_path)
    assert other.fingerprint != mixed_corpus.fingerprint


def test_opening_touches_no_shard(mixed_corpus: Corpus, tmp_path: Path) -> None:
    """Shards of zeros and the right size open; only asking for a table reads one."""
    folder = copy_of(mixed_corpus, tmp_path)
    for shard in folder.glob("*.arrow"):
        shard.write_bytes(bytes(shard.stat().st_size))
    corpus = Corpus.open(folder)
    with pytest.raises(pa.ArrowInvalid):
        corpus.speech("train")


def test_no_corpus_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"corpus\.json is missing"):
        Corpus.open(tmp_path)


def test_a_shard_cut_short(mixed_corpus: Corpus, tmp_path: Path) -> None:
    folder = copy_of(mixed_corpus, tmp_path)
    shard = folder / "speech-train-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"speech-train-00000\.arrow: 1000 bytes"):
        Corpus.open(folder)


def test_a_description_that_may_not_be_read(
    mixed_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read every file, so the refusal is made."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UserError, match=r"corpus\.json: Permission denied"):
        Corpus.open(copy_of(mixed_corpus, tmp_path))


def test_storage_out_of_reach_is_not_called_bad_json() -> None:
    def unusable(name: str) -> bytes:
        raise UserError("cannot read s3://bucket/mine: no route to host")

    with pytest.raises(UserError, match="no route to host"):
        read_description(SimpleNamespace(uri="s3://bucket/mine", read=unusable))  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["[]", "null", '"corpus"', "3"])
def test_json_that_describes_no_corpus(tmp_path: Path, content: str) -> None:
    (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(UserError, match=r"corpus\.json describes no corpus: restore it, or prepare"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("summary", None),
        ("summary", {"kind": "speech+noise", "synthetic": False, "splits": None}),
        ("shards", None),
        ("shards", [{"name": "speech-train-00000.arrow"}]),
        ("fingerprint", None),
        ("sample_rate", "fast"),
        ("kind", "music"),
    ],
)
def test_a_damaged_description(mixed_corpus: Corpus, tmp_path: Path, name: str, value: object) -> None:
    folder = copy_of(mixed_corpus, tmp_path)
    description = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps({**description, name: value}))
    for use in (Corpus.open, inspect_source):
        with pytest.raises(UserError, match=rf"corpus\.json is damaged at '{name}': restore it, or prepare"):
            use(folder)


def test_a_format_of_another_time(mixed_corpus: Corpus, tmp_path: Path) -> None:
    folder = copy_of(mixed_corpus, tmp_path)
    (folder / "corpus.json").write_text('{"format": 99}')
    with pytest.raises(UserError, match="has format 99"):
        Corpus.open(folder)
