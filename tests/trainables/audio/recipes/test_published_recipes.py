"""VoiceBank-DEMAND and LibriSpeech: miniature trees of the exact public layouts, right, wrong and incomplete."""

from pathlib import Path

import pytest

from tests.support.audio.recordings import write_sound
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.corpus.listing import Listing
from trainables.audio.recipes import librispeech as librispeech_recipe
from trainables.audio.recipes import voicebank as voicebank_recipe
from trainables.audio.recipes.preparation import inspect_source, open_or_prepare
from trainables.audio.recipes.recipes import RECIPES
from trainables.audio.recipes.voicebank import SPEAKERS_28, SPEAKERS_56, TrainingSet
from trainables.base.errors import UserError

TRAIN_SPEAKERS = ("p226", "p287", "p228", "p230")
TEST_SPEAKERS = ("p232", "p257")
MINIATURE = TrainingSet(speakers=28, pairs=8, test_pairs=4)


def voicebank(folder: Path, rate: int = 16_000, ending: str = "", speakers: int = 28) -> Path:
    """Two pairs a speaker, as in the public archives."""
    sets = {f"trainset_{speakers}spk_wav": TRAIN_SPEAKERS, "testset_wav": TEST_SPEAKERS}
    for name, members in sets.items():
        for kind in ("clean", "noisy"):
            for speaker in members:
                for take in ("001", "002"):
                    path = folder / f"{kind}_{name}{ending}" / f"{speaker}_{take}.wav"
                    write_sound(path, seconds=0.1, rate=rate)
    return folder


def splits(listing: Listing) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in listing.items:
        if item.part != "noise":
            found.setdefault(item.split, set()).add(item.owner)
    return found


def test_p226_and_p287_are_valid_and_the_test_set_is_test(tmp_path: Path) -> None:
    listing = voicebank_recipe.list_source(voicebank(tmp_path), MINIATURE)
    assert listing.kind == "paired"
    assert splits(listing) == {
        "train": {"p228", "p230"},
        "valid": {"p226", "p287"},
        "test": set(TEST_SPEAKERS),
    }


def test_originals_at_48_khz_are_resampled_and_a_16_khz_copy_is_taken_as_it_is(tmp_path: Path) -> None:
    original = voicebank_recipe.list_source(voicebank(tmp_path / "a", rate=48_000), MINIATURE)
    copy = voicebank_recipe.list_source(voicebank(tmp_path / "b", ending="_16k"), MINIATURE)
    assert {item.samples for item in original.items} == {item.samples for item in copy.items} == {1600}
    assert original.notes == ("24 files resampled from 48000 to 16000 Hz",)
    assert copy.notes == ()


def test_it_becomes_a_corpus(tmp_path: Path) -> None:
    listing = voicebank_recipe.list_source(voicebank(tmp_path / "source"), MINIATURE)
    corpus = write_corpus(listing, tmp_path / "corpus", cache=tmp_path / "cache")
    assert len(corpus.paired("train")) == 4
    assert len(corpus.paired("test")) == 4


def test_the_published_counts_are_checked(tmp_path: Path) -> None:
    source = voicebank(tmp_path)
    with pytest.raises(UserError, match=r"clean_trainset_28spk_wav: holds 8 files, but .* has 11572"):
        RECIPES["voicebank-demand"].list_source(source)
    with pytest.raises(UserError, match=r"clean_testset_wav: holds 4 files, but .* has 824"):
        voicebank_recipe.list_source(source, TrainingSet(speakers=28, pairs=8))
    assert (SPEAKERS_28.pairs, SPEAKERS_28.test_pairs, SPEAKERS_56.pairs) == (11_572, 824, 23_075)


def test_the_two_training_sets_are_kept_apart(tmp_path: Path) -> None:
    voicebank(tmp_path)
    with pytest.raises(UserError, match="holds no clean_trainset_56spk_wav"):
        voicebank_recipe.list_source(tmp_path, SPEAKERS_56)
    voicebank(tmp_path, speakers=56)
    listing = voicebank_recipe.list_source(tmp_path, MINIATURE)
    assert len(listing.items) == 12


def test_an_incomplete_pair_names_the_file(tmp_path: Path) -> None:
    source = voicebank(tmp_path)
    (source / "noisy_trainset_28spk_wav" / "p228_002.wav").unlink()
    with pytest.raises(UserError, match=r"noisy_trainset_28spk_wav: lacks p228_002\.wav"):
        voicebank_recipe.list_source(source, MINIATURE)


def test_partners_of_two_lengths_are_refused(tmp_path: Path) -> None:
    source = voicebank(tmp_path)
    write_sound(source / "noisy_testset_wav" / "p232_001.wav", seconds=0.2)
    with pytest.raises(UserError, match="both must agree"):
        voicebank_recipe.list_source(source, MINIATURE)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    source = voicebank(tmp_path)
    write_sound(source / "clean_testset_wav" / "old" / "p232_001.wav", seconds=0.1)
    with pytest.raises(UserError, match=r"p232_001\.wav: another file has this name"):
        voicebank_recipe.list_source(source, MINIATURE)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no clean_trainset_28spk_wav; it should hold"):
        voicebank_recipe.list_source(tmp_path, MINIATURE)


# -- LibriSpeech ----------------------------------------------------------------------------------------------

SUBSETS = {"train-clean-100": ("19", "26"), "dev-clean": ("84",), "test-clean": ("61",)}


def librispeech(folder: Path) -> Path:
    for subset, speakers in SUBSETS.items():
        for speaker in speakers:
            chapter = folder / "LibriSpeech" / subset / speaker / "198"
            names = [f"{speaker}-198-{number:04d}" for number in range(2)]
            for name in names:
                write_sound(chapter / f"{name}.flac", seconds=0.1)
            transcript = "".join(f"{name} SOME WORDS\n" for name in names)
            (chapter / f"{speaker}-198.trans.txt").write_text(transcript)
    for kind in ("cafe", "street", "train"):
        write_sound(folder / "noise" / kind / f"{kind}.wav", seconds=0.4)
    return folder


def test_librispeech_keeps_its_own_splits(tmp_path: Path) -> None:
    listing = librispeech_recipe.list_source(librispeech(tmp_path))
    assert splits(listing) == {"train": {"19", "26"}, "valid": {"84"}, "test": {"61"}}
    assert {item.split for item in listing.items if item.part == "noise"} == {"train", "valid", "test"}
    assert "train-clean-100/19-198-0000" in {item.id for item in listing.items}


def test_an_utterance_that_a_transcript_lists_must_be_there(tmp_path: Path) -> None:
    source = librispeech(tmp_path)
    (source / "LibriSpeech/dev-clean/84/198/84-198-0001.flac").unlink()
    with pytest.raises(UserError, match=r"84-198-0001\.flac is in a transcript but not there"):
        librispeech_recipe.list_source(source)


def test_a_subset_of_every_split_is_needed(tmp_path: Path) -> None:
    source = librispeech(tmp_path)
    (source / "LibriSpeech/test-clean").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="no speech in split 'test'"):
        librispeech_recipe.list_source(source)


def test_librispeech_has_no_noise_of_its_own(tmp_path: Path) -> None:
    source = librispeech(tmp_path)
    (source / "noise").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="no noises there; LibriSpeech has none"):
        librispeech_recipe.list_source(source)


def test_a_file_in_another_speakers_folder_is_refused(tmp_path: Path) -> None:
    source = librispeech(tmp_path)
    chapter = source / "LibriSpeech/train-clean-100/19/198"
    (chapter / "19-198-0001.flac").rename(chapter / "20-198-0009.flac")
    (chapter / "19-198.trans.txt").write_text("19-198-0000 WORDS\n")
    with pytest.raises(UserError, match="does not belong there"):
        librispeech_recipe.list_source(source)


def test_another_folder_is_no_librispeech(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no LibriSpeech"):
        librispeech_recipe.list_source(tmp_path)


def test_a_raw_folder_is_recognised_by_its_layout(tmp_path: Path) -> None:
    source = librispeech(tmp_path / "source")
    assert inspect_source(source, cache=tmp_path / "cache")["speakers"] == 4
    corpus = open_or_prepare(source, cache=tmp_path / "cache")
    assert sorted(corpus.speech("train").speakers) == ["19", "19", "26", "26"]
    with pytest.raises(UserError, match="11572"):
        inspect_source(voicebank(tmp_path / "voicebank"), cache=tmp_path / "cache")
