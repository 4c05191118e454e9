"""Folders as they are found: each layout becomes the corpus it means, or one line says why not."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.audio.recordings import pairs, speech_and_noise, write_manifest, write_sound
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.corpus.listing import SPLITS, Listing
from trainables.audio.recipes.folder import list_source
from trainables.base.errors import UserError

SHORT = 0.05  # s
SPEAKERS = {"train": ("s1", "s2"), "valid": ("s3",), "test": ("s4",)}
NOISES = {"train": ("n1",), "valid": ("n2",), "test": ("n3",)}
MANIFEST = [(f"speech/{owner}/{owner}.wav", owner, split) for split, owners in SPEAKERS.items() for owner in owners] + [
    (f"noise/{owner}/{owner}.wav", owner, split) for split, owners in NOISES.items() for owner in owners
]


def flat(folder: Path) -> Path:
    """A speaker or noise type a folder, one file each."""
    for name, _, _ in MANIFEST:
        write_sound(folder / name, SHORT)
    return folder


def in_splits(folder: Path, names: tuple[str, str, str] = SPLITS, part: str = "") -> Path:
    """The same below folders named after splits; only `part` of it, the other flat, if given."""
    named = dict(zip(SPLITS, names, strict=True))
    for name, owner, split in MANIFEST:
        kind = name.split("/")[0]
        below = f"{kind}/{named[split]}/{owner}/{owner}.wav" if part in ("", kind) else name
        write_sound(folder / below, SHORT)
    return folder


def owners(listing: Listing, part: str) -> dict[str, tuple[str, ...]]:
    return {
        split: tuple(sorted({item.owner for item in listing.items if (item.part, item.split) == (part, split)}))
        for split in SPLITS
    }


def refusal(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        list_source(source)
    return str(caught.value)


# -- folders named after splits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("Train", "Validation", "TEST"),
        ("tr", "cv", "tt"),
        ("training", "dev", "eval"),
        ("train_set", "val", "test-set"),
    ],
)
def test_folders_named_after_splits_are_splits(tmp_path: Path, names: tuple[str, str, str]) -> None:
    listing = list_source(in_splits(tmp_path, names))
    assert owners(listing, "speech") == SPEAKERS
    assert owners(listing, "noise") == NOISES
    said = ", ".join(f"{name}/ is {split}" for name, split in zip(names, SPLITS, strict=True))
    assert listing.notes == tuple(
        f"folders in {part}/ are named after splits and decide them: {said}" for part in ("speech", "noise")
    )


@pytest.mark.parametrize("part", ["speech", "noise"])
def test_one_part_may_be_in_splits_and_the_other_not(tmp_path: Path, part: str) -> None:
    listing = list_source(in_splits(tmp_path, part=part))
    assert owners(listing, part) == {"speech": SPEAKERS, "noise": NOISES}[part]
    assert len(listing.notes) == 1


@pytest.mark.parametrize("below", ["{}", "{}/{}"])
def test_pairs_may_be_in_splits_with_or_without_folders_of_speakers(tmp_path: Path, below: str) -> None:
    for split, speakers in SPEAKERS.items():
        for speaker in speakers:
            for side in ("clean", "noisy"):
                folder = tmp_path / side / below.format(split, speaker)
                write_sound(folder / f"{speaker}_1.wav", SHORT, level=0.1 if side == "clean" else 0.2)
    listing = list_source(tmp_path)
    assert owners(listing, "paired") == SPEAKERS


def test_a_railway_is_a_noise_type(tmp_path: Path) -> None:
    write_sound(flat(tmp_path) / "noise/train/railway.wav", SHORT)
    listing = list_source(tmp_path)
    assert {name for names in owners(listing, "noise").values() for name in names} == {"n1", "n2", "n3", "train"}


def test_split_folders_next_to_others_are_refused(tmp_path: Path) -> None:
    write_sound(flat(tmp_path) / "speech/train/s9/s9.wav", SHORT)
    assert "speech: holds folders named after splits (train) next to others (s1, s2, s3)" in refusal(tmp_path)


def test_a_split_folder_without_folders_of_speakers_is_refused(tmp_path: Path) -> None:
    write_sound(in_splits(tmp_path) / "speech/train/loose.wav", SHORT)
    assert "loose.wav: folder 'train' is named after a split, so a folder of its speaker is needed" in refusal(tmp_path)


def test_a_speaker_in_two_split_folders_is_refused(tmp_path: Path) -> None:
    write_sound(in_splits(tmp_path) / "speech/test/s1/more.wav", SHORT)
    assert "speaker 's1' is in two splits" in refusal(tmp_path)


def test_a_split_that_is_missing_is_named(tmp_path: Path) -> None:
    shutil.rmtree(in_splits(tmp_path) / "speech/valid")
    assert "no speech in split 'valid'" in refusal(tmp_path)


def test_splits_above_the_layout_are_pointed_out(tmp_path: Path) -> None:
    write_sound(tmp_path / "train/clean/s1.wav", SHORT)
    assert "splits belong below these: clean/train/" in refusal(tmp_path)


def test_a_manifest_decides_over_folders_named_after_splits(tmp_path: Path) -> None:
    rows = [(f"{name.split('/')[0]}/train/{owner}.wav", owner, split) for name, owner, split in MANIFEST]
    for name, _, _ in rows:
        write_sound(tmp_path / name, SHORT)
    write_manifest(tmp_path, rows)
    assert owners(list_source(tmp_path), "speech") == SPEAKERS


# -- what is passed over, and what is left out ----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "speech/s1/.ipynb_checkpoints/s1-checkpoint.wav",
        "speech/.ipynb_checkpoints/s1-checkpoint.wav",
        "speech/__MACOSX/s1/s1.wav",
        "speech/s1/._s1.wav",
        "noise/.Trash-1000/files/deleted.wav",
        "noise/@eaDir/n1.wav",
    ],
)
def test_hidden_folders_and_files_are_passed_over(tmp_path: Path, name: str) -> None:
    expected = list_source(flat(tmp_path)).items
    write_sound(tmp_path / name, SHORT)
    listing = list_source(tmp_path)
    assert listing.items == expected
    assert listing.notes == ()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("speech/s1/s1.m4a", "1 file in speech/ left out, no audio by ending: 1 .m4a (s1/s1.m4a)"),
        ("noise/readme.txt", "1 file in noise/ left out, no audio by ending: 1 .txt (readme.txt)"),
        ("speech/shard.parquet", "1 file in speech/ left out, no audio by ending: 1 .parquet (shard.parquet)"),
        ("music/song.wav", "1 file outside speech/ and noise/ left out: music/song.wav"),
    ],
)
def test_files_left_out_are_counted_and_named(tmp_path: Path, name: str, note: str) -> None:
    flat(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"something")
    assert list_source(tmp_path).notes == (note,)


def test_mp3_counts_like_wav(tmp_path: Path) -> None:
    for number in (5, 6):
        path = flat(tmp_path) / f"speech/s{number}/s{number}.MP3"
        path.parent.mkdir()
        soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(8000), 16_000, format="MP3")
    corpus = write_corpus(list_source(tmp_path), tmp_path / "corpus", cache=tmp_path / "cache")
    assert corpus.summary()["speakers"] == 6


# -- copies and links -----------------------------------------------------------------------------------------


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def as_flac(source: Path, target: Path) -> None:
    soundfile.write(target, soundfile.read(source)[0], 16_000, format="FLAC")


@dataclass(frozen=True)
class Repeat:
    name: str
    how: Callable[[Path, Path], None]
    says: str = ""  # the refusal; "" = counted once


REPEATS = {
    "a copy": Repeat("speech/s1/s1 (copy).wav", copy),
    "a link": Repeat("speech/s1/again.wav", link),
    "a hard link": Repeat("speech/s1/again.wav", os.link),
    "another format": Repeat("speech/s1/again.flac", as_flac),
    "deeper": Repeat("speech/s1/old/s1.wav", copy),
    "of another speaker": Repeat("speech/s2/other.wav", copy, "so it would be in two speakers 's1' and 's2'"),
    "as noise": Repeat("noise/n1/other.wav", copy, "is it speech or noise?"),
    "linked to another speaker": Repeat("speech/s9/s1.wav", link, "the same audio as"),
}


@pytest.mark.parametrize("case", REPEATS)
def test_the_same_audio_counts_once_or_is_refused(tmp_path: Path, case: str) -> None:
    repeat = REPEATS[case]
    expected = list_source(flat(tmp_path)).items
    repeat.how(tmp_path / "speech/s1/s1.wav", tmp_path / repeat.name)
    if repeat.says:
        assert repeat.says in refusal(tmp_path)
    else:
        listing = list_source(tmp_path)
        assert sorted(item.samples for item in listing.items) == sorted(item.samples for item in expected)
        assert {item.owner for item in listing.items} == {item.owner for item in expected}
        assert listing.notes[0].startswith("1 file with the same audio as another, each counted once: ")


def test_the_same_audio_in_two_splits_is_refused(tmp_path: Path) -> None:
    copy(in_splits(tmp_path) / "noise/train/n1/n1.wav", tmp_path / "noise/test/n3/copy.wav")
    assert "n1.wav: the same audio as" in refusal(tmp_path) or "copy.wav: the same audio as" in refusal(tmp_path)


def test_files_of_one_length_are_no_copies(tmp_path: Path) -> None:
    """They begin alike, too: a silence."""
    for number in range(3):
        samples = np.zeros(9000)
        samples[5000:] = 0.1 * np.random.default_rng(number).standard_normal(4000)
        soundfile.write(flat(tmp_path) / f"speech/s{number + 1}/late.wav", samples, 16_000)
    assert len(list_source(tmp_path).items) == len(MANIFEST) + 3


def test_a_clean_recording_may_be_in_several_pairs(tmp_path: Path) -> None:
    listing = list_source(pairs(tmp_path, SHORT))
    for number, side in enumerate(("clean", "noisy", "noisy")):
        copy(tmp_path / side / "p225_001.wav", tmp_path / ("clean", "noisy", "clean")[number] / "p225_9.wav")
    shutil.copy(tmp_path / "clean/p225_001.wav", tmp_path / "clean/p225_9.wav")
    again = list_source(tmp_path)
    assert again.items == listing.items  # both sides are copies
    assert "1 file with the same audio as another" in again.notes[0]
    write_sound(tmp_path / "noisy/p225_9.wav", SHORT)
    assert len(list_source(tmp_path).items) == len(listing.items) + 1


@pytest.mark.parametrize("target", [".", "..", "../..", "../s2"])
def test_links_to_folders_are_followed_never_in_circles(tmp_path: Path, target: str) -> None:
    flat(tmp_path)
    (tmp_path / "speech/s1/around").symlink_to(target)
    if target == "../s2":
        (tmp_path / "speech/s2/around").symlink_to("../s1")
        assert "the same audio as" in refusal(tmp_path)
    else:
        assert {item.id for item in list_source(tmp_path).items if item.owner == "s1"} == {"s1/s1"}


def test_a_speaker_may_be_a_link_to_elsewhere(tmp_path: Path) -> None:
    write_sound(tmp_path / "elsewhere/eve.wav", SHORT)
    link(tmp_path / "elsewhere", flat(tmp_path / "source") / "speech/eve")
    assert "eve" in {item.owner for item in list_source(tmp_path / "source").items}


def test_a_link_to_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    link(tmp_path / "nowhere", flat(tmp_path / "source") / "speech/eve")
    assert "eve: a link to a file that is not there" in refusal(tmp_path / "source")


def test_a_dead_link_outside_the_layout_does_not_matter(tmp_path: Path) -> None:
    link(tmp_path / "nowhere", flat(tmp_path / "source") / "latest")
    assert list_source(tmp_path / "source").notes == ()


def test_a_pipe_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(flat(tmp_path) / "speech/s1/pipe.wav")
    assert "pipe.wav: no regular file" in refusal(tmp_path)


# -- a manifest by nearly its name ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["manifest.csv", "Manifest.CSV", "MANIFEST.csv"])
def test_the_manifest_counts_in_any_letter_case(tmp_path: Path, name: str) -> None:
    write_manifest(flat(tmp_path), MANIFEST)
    (tmp_path / "MANIFEST.csv").rename(tmp_path / name)
    listing = list_source(tmp_path)
    assert owners(listing, "speech") == SPEAKERS
    assert owners(listing, "noise") == NOISES


@pytest.mark.parametrize(
    "name", ["MANIFEST.tsv", "manifest.json", "manifest", "MANIFEST.csv.txt", "speech/MANIFEST.csv"]
)
def test_what_may_be_meant_as_the_manifest_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write_manifest(flat(tmp_path), MANIFEST)
    (tmp_path / "MANIFEST.csv").rename(tmp_path / name)
    assert f"{tmp_path / name}: is it the manifest?" in refusal(tmp_path)


def test_two_manifests_are_refused(tmp_path: Path) -> None:
    write_manifest(flat(tmp_path), MANIFEST)
    shutil.copy(tmp_path / "MANIFEST.csv", tmp_path / "manifest.csv")
    assert "holds MANIFEST.csv and manifest.csv; keep one" in refusal(tmp_path)


# -- all that is wrong, at once -------------------------------------------------------------------------------


def damage_three(folder: Path) -> list[str]:
    """A header that is cut, a FLAC that ends early, a silence."""
    for name in ("cut.wav", "ends.flac"):
        write_sound(folder / "speech/s1" / name, 1.0)
        content = (folder / "speech/s1" / name).read_bytes()
        (folder / "speech/s1" / name).write_bytes(content[: len(content) // 2])
    write_sound(folder / "noise/n1/mute.wav", 1.0, level=0.0)
    return ["speech/s1/cut.wav", "speech/s1/ends.flac", "noise/n1/mute.wav"]


def test_one_report_names_every_bad_file(tmp_path: Path) -> None:
    names = damage_three(flat(tmp_path))
    first, *lines = refusal(tmp_path).splitlines()
    assert first == "3 recordings cannot be used:"
    assert [line.split(": ")[0].strip() for line in lines] == [str(tmp_path / name) for name in names]


def test_one_report_names_every_file_whose_audio_is_bad_and_nothing_is_left(tmp_path: Path) -> None:
    names = damage_three(flat(tmp_path / "source"))
    (tmp_path / "source" / names[0]).unlink()
    listing = list_source(tmp_path / "source")
    with pytest.raises(UserError, match="2 recordings cannot be used") as caught:
        write_corpus(listing, tmp_path / "corpus", cache=tmp_path / "cache", shard_bytes=1000)
    assert all(name in str(caught.value) for name in names[1:])
    assert not (tmp_path / "corpus").exists()


def test_a_long_report_is_cut_and_counted(tmp_path: Path) -> None:
    for number in range(14):
        (flat(tmp_path) / f"speech/s1/{number:02}.wav").write_text("no audio")
    lines = refusal(tmp_path).splitlines()
    assert lines[0] == "14 recordings cannot be used:"
    assert len(lines) == 12
    assert lines[-1].strip() == "and 4 more"


def test_both_sides_of_pairs_are_reported(tmp_path: Path) -> None:
    source = pairs(tmp_path / "source", SHORT)
    for side, name in (("clean", "p225_001.wav"), ("noisy", "p226_001.wav")):
        write_sound(source / side / name, SHORT, level=0.0)
    with pytest.raises(UserError, match="2 recordings cannot be used"):
        write_corpus(list_source(source), tmp_path / "corpus", cache=tmp_path / "cache")


def test_notes_on_the_audio_survive_an_interruption(tmp_path: Path) -> None:
    source = speech_and_noise(tmp_path / "source", SHORT)
    path = source / "noise/fan/fan.wav"
    soundfile.write(path, soundfile.read(path)[0] + 0.4, 16_000)

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(list_source(source), tmp_path / "corpus", stop, tmp_path / "cache", shard_bytes=1000)
    corpus = write_corpus(list_source(source), tmp_path / "corpus", cache=tmp_path / "cache", shard_bytes=1000)
    assert corpus.summary()["notes"] == [
        f"1 file with a constant offset, which levels and mixtures leave out: {path}",
    ]
