"""Transcripts come with a corpus where its source has them, and leave every other corpus as it was."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.audio.recordings import pairs, speech_and_noise
from tests.trainables.audio.recipes.test_published_recipes import MINIATURE, librispeech, voicebank
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.corpus.shards import Row, write_shard
from trainables.audio.examples.mixing import evaluation_set
from trainables.audio.recipes import folder as folder_recipe
from trainables.audio.recipes import librispeech as librispeech_recipe
from trainables.audio.recipes import voicebank as voicebank_recipe
from trainables.job.assignment import DataSettings


def test_librispeech_keeps_what_its_transcripts_say(tmp_path: Path) -> None:
    listing = librispeech_recipe.list_source(librispeech(tmp_path / "raw"))
    corpus = write_corpus(listing, tmp_path / "corpus")
    assert set(corpus.speech("test").texts) == {"SOME WORDS"}
    assert set(corpus.noise("test").texts) == {None}
    counts = corpus.summary()["splits"]["test"]
    assert (counts["transcribed"], counts["utterances"], counts["longest_seconds"]) == (2, 2, 0.1)


def test_voicebank_reads_the_folders_of_texts_where_they_are(tmp_path: Path) -> None:
    source = voicebank(tmp_path / "raw")
    plain = voicebank_recipe.list_source(source, MINIATURE)
    assert {item.text for item in plain.items} == {None}
    before = write_corpus(plain, tmp_path / "plain")
    for name in ("trainset_28spk_txt", "testset_txt"):
        (source / name).mkdir()
    for path in (source / "clean_testset_wav").iterdir():
        (source / "testset_txt" / f"{path.stem}.txt").write_text(f"Ask her, {path.stem}.\n")
    listing = voicebank_recipe.list_source(source, MINIATURE)
    assert listing.identity != plain.identity
    corpus = write_corpus(listing, tmp_path / "with_text")
    table = corpus.paired("test")
    assert dict(zip(table.ids, table.texts, strict=True)) == {
        f"testset/{name}": f"Ask her, {name}." for name in ("p232_001", "p232_002", "p257_001", "p257_002")
    }
    assert set(corpus.paired("train").texts) == {None}
    assert "transcribed" not in corpus.summary()["splits"]["train"]
    assert corpus.fingerprint != before.fingerprint
    untouched = "paired-train-00000.arrow"
    assert (tmp_path / "plain" / untouched).read_bytes() == (tmp_path / "with_text" / untouched).read_bytes()


@pytest.mark.parametrize("column", ["text", "Transcript"])
def test_a_manifest_may_say_what_is_said(tmp_path: Path, column: str) -> None:
    source = pairs(tmp_path / "raw")
    names = sorted(path.name for path in (source / "clean").iterdir())
    split = {"p225": "train", "p226": "train", "p227": "valid", "p228": "test"}
    lines = [f"clean/{name},{split[name[:4]]},p,{name[5:8]} words" for name in names]
    lines = [line.replace(",p,", f",{line[6:10]},") for line in lines]
    (source / "MANIFEST.csv").write_text("\n".join(["path,split,speaker_or_noise_type,notes", *lines]))
    plain = folder_recipe.list_source(source)
    assert {item.text for item in plain.items} == {None}
    (source / "MANIFEST.csv").write_text("\n".join([f"path,split,speaker_or_noise_type,{column}", *lines]))
    listing = folder_recipe.list_source(source)
    assert {item.text for item in listing.items} == {"001 words", "002 words"}
    assert listing.identity != plain.identity


def test_a_shard_without_texts_has_no_column_for_them(tmp_path: Path) -> None:
    row = Row("a", "ann", "train", {"audio": np.arange(9, dtype=np.int16)})
    write_shard(tmp_path / "plain", "s", "speech", "train", [row])
    assert "text" not in pa.ipc.open_file(str(tmp_path / "plain")).schema.names
    write_shard(tmp_path / "spoken", "s", "speech", "train", [row], transcribed=True)
    assert "text" in pa.ipc.open_file(str(tmp_path / "spoken")).schema.names


def test_a_clip_has_the_transcript_only_where_it_is_the_whole_utterance(tmp_path: Path) -> None:
    source = speech_and_noise(tmp_path / "raw", seconds=2.0)  # utterances of 2 and 3 s
    split = {"ann": "test", "bea": "train", "cleo": "train", "dora": "valid"}
    noises = {"fan": "train", "hiss": "valid", "hum": "test"}
    rows = [f"speech/{name}/{name}-{take},{split[name]},{name} says" for name in split for take in ("0.wav", "1.flac")]
    rows += [f"noise/{name}/{name}.wav,{of},hum" for name, of in noises.items()]
    (source / "MANIFEST.csv").write_text("\n".join(["path,split,text", *rows]))
    corpus = write_corpus(folder_recipe.list_source(source), tmp_path / "corpus")
    assert set(corpus.noise("test").texts) == {None}
    texts = {clip.utterance: clip.text for clip in evaluation_set(corpus, DataSettings(), "test")}
    assert texts == {"ann/ann-0": "ann says", "ann/ann-1": "ann says"}
    cut = evaluation_set(corpus, DataSettings(evaluation_clip_seconds=2.0), "test")
    assert {clip.utterance: clip.text for clip in cut} == {
        "ann/ann-0": "ann says",
        "ann/ann-1": None,
        "ann/ann-1@2s": None,
    }
