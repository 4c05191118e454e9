"""TIMIT and Nonspeech-100 as the contrastive report splits them, from trees as they are found on disc."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainables.audio.corpus.audio_files import read_audio
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.recipes.nonspeech import Noise, noises, split_of_noises
from trainables.audio.recipes.recipes import RECIPES
from trainables.audio.recipes.timit import split_of_speakers, train_utterances
from trainables.audio.recipes.timit_nonspeech import list_source
from trainables.base.errors import UserError

SPEAKERS = ("FCJF0", "MDAC0", "MTRR0", "FVMH0", "MKLW0")
SENTENCES = ("SA1", "SA2", "SI648", "SX37")


def write_sphere(path: Path, seconds: float = 0.3, rate: int = 16000) -> None:
    """A WAV file with a NIST SPHERE header, as on TIMIT's disc."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.lower().encode()))
    samples = 0.1 * rng.standard_normal(round(seconds * rate))
    soundfile.write(path, samples, rate, format="NIST", subtype="PCM_16")


def make_source(folder: Path, case: Callable[[str], str] = str.upper, noise_rate: int = 20000) -> Path:
    for number, speaker in enumerate(SPEAKERS):
        for sentence in SENTENCES:
            parts = [case(part) for part in ("timit", "train", f"dr{1 + number % 3}", speaker)]
            write_sphere(folder.joinpath(*parts, case(f"{sentence}.wav")))
    write_sphere(folder.joinpath(case("timit"), case("test"), case("dr1"), case("faks0"), case("sa1.wav")))
    for number in (1, 2, 3, 18, 19, 30, 47, 56):
        name = folder / case("nonspeech") / case(f"n{number}.wav")
        name.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        soundfile.write(name, 0.1 * rng.standard_normal(noise_rate // 2), noise_rate, format="WAV")
    return folder


def test_both_letter_cases_give_the_same_corpus(tmp_path: Path) -> None:
    upper = list_source(make_source(tmp_path / "upper"))
    lower = list_source(make_source(tmp_path / "lower", str.lower))
    assert upper.items == lower.items
    assert {item.id for item in upper.items if item.owner == "fcjf0"} == {
        f"dr1/fcjf0/{sentence.lower()}" for sentence in SENTENCES
    }


def test_sphere_headers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "SA1.WAV"
    write_sphere(path)
    assert path.read_bytes().startswith(b"NIST_1A")
    assert len(read_audio(path)) == 4800


def test_only_train_counts(tmp_path: Path) -> None:
    listing = list_source(make_source(tmp_path))
    assert {item.owner for item in listing.items if item.part == "speech"} == {s.lower() for s in SPEAKERS}


def test_the_whole_corpus_is_prepared(tmp_path: Path) -> None:
    corpus = write_corpus(list_source(make_source(tmp_path / "source")), tmp_path / "corpus", cache=tmp_path / "c")
    splits = {split: corpus.summary()["splits"][split] for split in ("train", "valid", "test")}
    assert sum(counts["utterances"] for counts in splits.values()) == 20
    assert all(counts["speakers"] >= 1 and counts["noises"] >= 1 for counts in splits.values())
    assert corpus.noise("train").samples(0) == 8000  # half a second of 20 kHz, resampled
    assert any(note.startswith("noises of test: n") for note in corpus.summary()["notes"])


def test_the_sentences_that_all_read_can_be_left_out(tmp_path: Path) -> None:
    recipe = RECIPES["timit_nonspeech_without_sa"]
    listing = recipe.list_source(make_source(tmp_path))
    assert not [item for item in listing.items if item.id.endswith(("sa1", "sa2"))]
    assert recipe.identity(tmp_path) != RECIPES["timit_nonspeech"].identity(tmp_path)


@pytest.mark.parametrize("copy", ["{}.wav", "{}.WAV.wav", "{}.flac"])
def test_converted_copies_next_to_the_originals_do_not_count(tmp_path: Path, copy: str) -> None:
    """Copies of TIMIT on the web hold SA1.WAV and SA1.WAV.wav; both are the sentence that all read."""
    recipe = RECIPES["timit_nonspeech_without_sa"]
    expected = recipe.list_source(make_source(tmp_path))
    originals = [path for path in sorted(tmp_path.rglob("*.WAV")) if "TRAIN" in path.parts or path.name == "N1.WAV"]
    for path in originals:
        target = path.with_name(copy.format(path.stem))
        soundfile.write(target, *soundfile.read(path), format="FLAC" if target.suffix == ".flac" else "WAV")
    listing = recipe.list_source(tmp_path)
    assert listing.items == expected.items
    said = f"{len(originals)} files next to an original of the same name left out: "
    assert any(note.startswith(said) for note in listing.notes)


def test_folders_of_archivers_hold_no_timit(tmp_path: Path) -> None:
    expected = list_source(make_source(tmp_path)).items
    write_sphere(tmp_path / "__MACOSX/TIMIT/TRAIN/DR1/FXXX0/._SA1.WAV")
    assert list_source(tmp_path).items == expected


def test_two_copies_of_timit_are_refused(tmp_path: Path) -> None:
    make_source(tmp_path)
    write_sphere(tmp_path / "again/TRAIN/DR1/FXXX0/SI1.WAV")
    with pytest.raises(UserError, match="give the folder above one of them"):
        list_source(tmp_path)


def test_462_speakers_make_412_and_50() -> None:
    split = split_of_speakers({f"s{number:03d}" for number in range(462)})
    counts = {name: list(split.values()).count(name) for name in ("train", "valid", "test")}
    assert counts == {"train": 391, "valid": 21, "test": 50}
    assert counts["train"] + counts["valid"] == 412
    assert split == split_of_speakers(set(split))


def hundred(tmp_path: Path) -> list[Noise]:
    for number in range(1, 101):
        (tmp_path / f"N{number}.wav").touch()
    return noises(tmp_path)


def test_a_hundred_noises_make_75_and_25_by_type(tmp_path: Path) -> None:
    listed = hundred(tmp_path)
    split = split_of_noises(listed)
    counts = {name: list(split.values()).count(name) for name in ("train", "valid", "test")}
    assert counts["test"] == 25
    assert counts["train"] + counts["valid"] == 75
    assert counts["valid"] == 4
    assert len({noise.type for noise in listed}) == 20
    for kind in {noise.type for noise in listed}:
        own = [split[noise.id] for noise in listed if noise.type == kind]
        assert abs(own.count("test") - len(own) / 4) < 1.01


def test_numbers_not_names_order_the_noises(tmp_path: Path) -> None:
    assert [noise.id for noise in hundred(tmp_path)][:3] == ["n1", "n2", "n3"]
    assert hundred(tmp_path)[16] == Noise(id="n17", type="crowd", path=tmp_path / "N17.wav")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: None, "no TIMIT here"),
        (lambda folder: (folder / "TRAIN").mkdir(), "no TIMIT utterances"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(tmp_path)
    with pytest.raises(UserError, match=message):
        train_utterances(tmp_path)


def test_missing_or_doubled_noises_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Nonspeech-100 here"):
        noises(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "n1.wav").touch()
    with pytest.raises(UserError, match="noise 1 is there twice"):
        noises(tmp_path)
