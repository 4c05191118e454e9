"""The folder recipe: which recordings count, whose they are, and in which split."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.audio.recordings import (
    NOISES,
    SPEAKERS,
    pairs,
    speech_and_noise,
    write_manifest,
    write_sound,
)
from trainables.audio.corpus.listing import SPLITS, Listing, summarise
from trainables.audio.recipes.folder import identity, list_source
from trainables.base.errors import UserError

MANIFEST = [
    ("speech/ann/ann-0.wav", "ann", "train"),
    ("speech/bea/bea-0.wav", "bea", "valid"),
    ("speech/cleo/cleo-0.wav", "cleo", "test"),
    ("noise/fan/fan.wav", "fan", "test"),
    ("noise/hiss/hiss.wav", "hiss", "valid"),
    ("noise/hum/hum.wav", "hum", "train"),
]


def owners(listing: Listing, part: str, split: str) -> set[str]:
    return {item.owner for item in listing.items if (item.part, item.split) == (part, split)}


def test_folders_name_speakers_and_noise_types(tmp_path: Path) -> None:
    listing = list_source(speech_and_noise(tmp_path))
    assert listing.kind == "speech+noise"
    assert {item.owner for item in listing.items if item.part == "speech"} == set(SPEAKERS)
    assert {item.owner for item in listing.items if item.part == "noise"} == set(NOISES)
    assert "ann/ann-1" in [item.id for item in listing.items]


@pytest.mark.parametrize("part", ["speech", "noise"])
def test_splits_share_no_owner_and_none_is_empty(tmp_path: Path, part: str) -> None:
    listing = list_source(speech_and_noise(tmp_path))
    train, valid, test = (owners(listing, part, split) for split in SPLITS)
    assert train
    assert valid
    assert test
    assert len(train | valid | test) == len(train) + len(valid) + len(test)


def test_the_manifest_decides_splits_and_which_files_count(tmp_path: Path) -> None:
    write_manifest(speech_and_noise(tmp_path), MANIFEST)
    listing = list_source(tmp_path)
    assert {(item.part, item.owner, item.split) for item in listing.items} == {
        (path.split("/")[0], owner, split) for path, owner, split in MANIFEST
    }
    assert listing.notes == ("5 audio files that MANIFEST.csv does not list were left out",)


def test_headers_tell_the_lengths_at_16_khz(tmp_path: Path) -> None:
    speech_and_noise(tmp_path, seconds=0.5)
    write_sound(tmp_path / "speech/ann/high.wav", seconds=0.5, rate=48_000, channels=2)
    listing = list_source(tmp_path)
    lengths = {item.id: item.samples for item in listing.items}
    assert lengths["ann/high"] == lengths["ann/ann-0"] == 8000
    assert listing.notes == (
        "1 file resampled from 48000 to 16000 Hz",
        "1 file with several channels averaged to one",
    )


def test_speakers_with_very_little_audio_are_fine(tmp_path: Path) -> None:
    write_sound(speech_and_noise(tmp_path) / "speech/eve/short.wav", seconds=0.02)
    assert summarise(list_source(tmp_path))["speakers"] == 5


def test_pairs_take_their_speaker_from_the_prefix(tmp_path: Path) -> None:
    listing = list_source(pairs(tmp_path))
    assert listing.kind == "paired"
    assert {item.owner for item in listing.items} == {"p225", "p226", "p227", "p228"}
    columns = listing.load(listing.items[0])
    assert columns["clean"].shape == columns["noisy"].shape
    assert not np.array_equal(columns["clean"], columns["noisy"])


def test_pairs_obey_a_manifest_too(tmp_path: Path) -> None:
    splits = {"p225": "train", "p226": "valid", "p227": "test", "p228": "train"}
    names = sorted(path.name for path in (pairs(tmp_path) / "clean").iterdir())
    write_manifest(tmp_path, [(f"clean/{name}", name[:4], splits[name[:4]]) for name in names])
    listing = list_source(tmp_path)
    assert {item.owner: item.split for item in listing.items} == splits


def test_identity_follows_the_files(tmp_path: Path) -> None:
    source = speech_and_noise(tmp_path)
    before = identity(source)
    assert identity(source) == before
    write_sound(source / "speech/ann/new.wav")
    assert identity(source) != before


# -- bad input: one line that names the place, the problem and what to do ------------------------------------


def refusal(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        list_source(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_source(tmp_path: Path) -> None:
    assert "no folder at" in refusal(tmp_path / "nowhere")


def test_an_empty_source(tmp_path: Path) -> None:
    assert "holds no corpus" in refusal(tmp_path)


def test_a_source_without_noise(tmp_path: Path) -> None:
    shutil.rmtree(speech_and_noise(tmp_path) / "noise")
    assert f"{tmp_path / 'noise'}: missing" in refusal(tmp_path)


def test_one_speaker(tmp_path: Path) -> None:
    speech_and_noise(tmp_path)
    for speaker in SPEAKERS[1:]:
        shutil.rmtree(tmp_path / "speech" / speaker)
    assert "1 speaker (ann); at least 3 are needed" in refusal(tmp_path)


def test_one_noise_type(tmp_path: Path) -> None:
    speech_and_noise(tmp_path)
    for name in NOISES[1:]:
        shutil.rmtree(tmp_path / "noise" / name)
    assert "1 noise type (fan); at least 3 are needed" in refusal(tmp_path)


def test_a_recording_outside_a_speakers_folder(tmp_path: Path) -> None:
    write_sound(speech_and_noise(tmp_path) / "speech/stray.wav")
    assert "stray.wav: lies outside a folder" in refusal(tmp_path)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    write_sound(speech_and_noise(tmp_path) / "speech/ann/ann-0.flac")
    assert "another file has this name" in refusal(tmp_path)


def test_a_manifest_row_without_its_file(tmp_path: Path) -> None:
    write_manifest(speech_and_noise(tmp_path), [*MANIFEST, ("speech/ann/gone.wav", "ann", "train")])
    assert "MANIFEST.csv, line 8: no file speech/ann/gone.wav" in refusal(tmp_path)


def test_a_manifest_row_outside_the_layout(tmp_path: Path) -> None:
    write_sound(speech_and_noise(tmp_path) / "music/song.wav")
    write_manifest(tmp_path, [*MANIFEST, ("music/song.wav", "song", "train")])
    assert "music/song.wav is not where it counts" in refusal(tmp_path)


def test_a_speaker_in_two_splits(tmp_path: Path) -> None:
    write_manifest(speech_and_noise(tmp_path), [*MANIFEST, ("speech/ann/ann-1.flac", "ann", "test")])
    assert "speaker 'ann' is in two splits" in refusal(tmp_path)


def test_an_unknown_split(tmp_path: Path) -> None:
    write_manifest(speech_and_noise(tmp_path), [*MANIFEST, ("speech/ann/ann-1.flac", "ann", "dev")])
    assert "split 'dev' of speech/ann/ann-1.flac; allowed are train, valid, test" in refusal(tmp_path)


def test_a_manifest_without_a_split_column(tmp_path: Path) -> None:
    (speech_and_noise(tmp_path) / "MANIFEST.csv").write_text("path\nspeech/ann/ann-0.wav\n")
    assert "no column split" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "path;split\nspeech/ann/ann-0.wav;train\n",
            "no column path and no column split in the header 'path;split'",
        ),
        ("path\tsplit\n", r"in the header 'path\tsplit'; path and split are needed, separated by commas"),
        ("path,splits\n", "no column split in the header 'path,splits'"),
        ("", "no column path and no column split in the header ''"),
        ("path,split\n", "MANIFEST.csv: has a header and no row: list the files that count"),
        ("path,split\nnoise/fan/fan.wav,train\n", "speech: MANIFEST.csv lists no audio file in it"),
        (f"path,split\n{'x' * 300}.wav,train\n", "MANIFEST.csv, line 2: no file xxx"),
        (f'path,split\n"{"x" * 200_000},train\n', "MANIFEST.csv: field larger than field limit"),
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, content: str, problem: str) -> None:
    (speech_and_noise(tmp_path) / "MANIFEST.csv").write_text(content)
    assert problem in refusal(tmp_path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_manifest_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    (speech_and_noise(tmp_path) / "MANIFEST.csv").write_bytes("path,split\nspeech/zoë.wav,train\n".encode(encoding))
    assert "MANIFEST.csv: is not written in UTF-8" in refusal(tmp_path)


def test_a_manifest_row_outside_the_source(tmp_path: Path) -> None:
    write_sound(tmp_path / "elsewhere.wav")
    write_manifest(speech_and_noise(tmp_path / "source"), [(f"{tmp_path}/elsewhere.wav", "ann", "train")])
    assert f"elsewhere.wav lies outside {tmp_path / 'source'}" in refusal(tmp_path / "source")


def test_blanks_around_a_manifests_column_names_are_nothing(tmp_path: Path) -> None:
    rows = [f"{path}, {owner}, {split}" for path, owner, split in MANIFEST]
    header = "path, speaker_or_noise_type, split"
    (speech_and_noise(tmp_path) / "MANIFEST.csv").write_text("\n".join([header, *rows]))
    assert owners(list_source(tmp_path), "speech", "valid") == {"bea"}


def test_a_link_to_nothing(tmp_path: Path) -> None:
    (speech_and_noise(tmp_path) / "speech/ann/moved.wav").symlink_to("nowhere.wav")
    assert "moved.wav: a link to a file that is not there" in refusal(tmp_path)
    with pytest.raises(UserError, match="a link to a file that is not there"):
        identity(tmp_path)


@pytest.mark.parametrize("name", [b"zo\xeb/a.wav", b"ann/zo\xeb.wav"])
def test_a_name_that_is_not_utf8(tmp_path: Path, name: bytes) -> None:
    path = speech_and_noise(tmp_path) / "speech" / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "speech/ann/ann-0.wav", path)
    assert "xeb" in refusal(tmp_path)
    assert "is not UTF-8; rename it" in refusal(tmp_path)


def test_names_in_any_script_are_fine(tmp_path: Path) -> None:
    write_sound(speech_and_noise(tmp_path) / "speech/Zoë/Привет.wav")
    assert "Zoë/Привет" in [item.id for item in list_source(tmp_path).items]


def test_a_split_without_speech(tmp_path: Path) -> None:
    write_manifest(speech_and_noise(tmp_path), [row for row in MANIFEST if row[1] != "bea"])
    assert "no speech in split 'valid'" in refusal(tmp_path)


@pytest.mark.parametrize(("gone", "left"), [("noisy", "clean"), ("clean", "noisy")])
def test_a_pair_without_its_partner(tmp_path: Path, gone: str, left: str) -> None:
    (pairs(tmp_path) / gone / "p226_001.wav").unlink()
    assert f"{left}/p226_001 has no partner {gone}/p226_001" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["speech", "noise"])
def test_both_layouts_in_one_folder(tmp_path: Path, name: str) -> None:
    write_sound(pairs(tmp_path) / name / "ann/a.wav")
    assert f"holds recordings in {name}/ as well as clean/ and noisy/" in refusal(tmp_path)


def test_an_empty_folder_next_to_pairs_does_not_count(tmp_path: Path) -> None:
    (pairs(tmp_path) / "noise").mkdir()
    assert list_source(tmp_path).kind == "paired"


def test_a_pair_of_unequal_lengths(tmp_path: Path) -> None:
    soundfile.write(pairs(tmp_path) / "noisy/p226_001.wav", np.ones(100), 16_000)
    assert "noisy/p226_001.wav has 100 at 16000 Hz" in refusal(tmp_path)
