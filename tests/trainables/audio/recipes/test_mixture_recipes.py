"""LibriMix and wsj0-2mix become corpora whose sources are the generated files' samples."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import resample_poly

from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.examples.mixing import voice_key
from trainables.audio.examples.mixture_pool import pool_voices, pooled_batch, whole_pool
from trainables.audio.examples.speaker_mixtures import mixture_batch, mixture_set, noisy_batch
from trainables.audio.recipes import librimix as librimix_recipe
from trainables.audio.recipes import wsj0_2mix as wsj0_2mix_recipe
from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings

RATE = 16_000
DATA = DataSettings(batch=3, crop_seconds=0.4, valid_seconds=2, test_seconds=2, speakers=2, sample_rate=8000)
SUBSETS = {"train": "train-clean-100", "valid": "dev-clean", "test": "test-clean"}
INT16 = 1 / 32768


def tone(seed: int, seconds: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.2 * np.convolve(rng.standard_normal(int(seconds * RATE)), [0.5, 0.3, 0.2], "same")).astype(np.float32)


@pytest.fixture(scope="module")
def librimix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LibriMix of two mixtures a split: real metadata columns, synthetic audio, noise that is too short."""
    root = tmp_path_factory.mktemp("librimix")
    (root / "metadata").mkdir()
    for number, (split, subset) in enumerate(SUBSETS.items()):
        rows = []
        for take in range(2):
            row = {"mixture_ID": f"{number}1-1-{take}_{number}2-1-{take}"}
            for source in (1, 2):
                path = f"{subset}/{number}{source}/1/{number}{source}-1-{take}.flac"
                _write(root / "LibriSpeech" / path, tone(100 * number + 10 * source + take, 1.2 + 0.3 * source))
                row |= {f"source_{source}_path": path, f"source_{source}_gain": str(0.4 + 0.2 * source)}
            noise = f"{split}/n{take}.wav"
            _write(root / "wham_noise" / noise, np.stack([tone(7 + take, 1.3), tone(8, 1.3)], axis=1))
            rows.append(row | {"noise_path": noise, "noise_gain": "0.25"})
        with (root / "metadata" / f"libri2mix_{subset}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return root


@pytest.fixture(scope="module")
def corpus(librimix: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    target = tmp_path_factory.mktemp("prepared")
    return write_corpus(librimix_recipe.list_source(librimix), target / "corpus", cache=target / "cache")


def generated(librimix: Path, split: str, folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """mixture_ID -> s1, s2, mix_clean, mix_single, read back from files written as LibriMix's script does."""
    found = {}
    with (librimix / "metadata" / f"libri2mix_{SUBSETS[split]}.csv").open() as file:
        for row in csv.DictReader(file):
            voices = [
                soundfile.read(librimix / "LibriSpeech" / row[f"source_{n}_path"], dtype="float32")[0] for n in (1, 2)
            ]
            longest = max(map(len, voices))
            noise = soundfile.read(librimix / "wham_noise" / row["noise_path"], dtype="float32")[0][:, 0]
            window = np.hanning(RATE + 1)
            i_w, d_w = window[: len(window) // 2 + 1], window[len(window) // 2 :: -1]
            while len(noise) < longest:
                blend = noise[len(noise) - len(d_w) :] * d_w + noise[: len(i_w)] * i_w
                noise = np.concatenate((noise[: len(noise) - len(d_w)], blend, noise[len(i_w) :]))
            gains = [float(row[f"{name}_gain"]) for name in ("source_1", "source_2", "noise")]
            signals = [
                resample_poly(signal * gain, 8000, RATE)
                for signal, gain in zip([*voices, noise[:longest]], gains, strict=True)
            ]
            shortest = min(map(len, signals))
            s1, s2, n = (signal[:shortest] for signal in signals)
            files = {"s1": s1, "s2": s2, "mix_clean": s1 + s2, "mix_single": s1 + n}
            found[row["mixture_ID"]] = {name: _through_file(folder, signal) for name, signal in files.items()}
    return found


def test_sources_are_those_of_the_generated_files(librimix: Path, corpus: Corpus, tmp_path: Path) -> None:
    expected = generated(librimix, "train", tmp_path)
    table = corpus.mixtures("train")
    assert sorted(table.ids) == sorted(expected)
    for row, name in enumerate(table.ids):
        np.testing.assert_array_equal(table.sources(row), [expected[name]["s1"], expected[name]["s2"]])


def test_sums_are_the_generated_mixtures_to_int16_rounding(librimix: Path, corpus: Corpus, tmp_path: Path) -> None:
    expected = generated(librimix, "test", tmp_path)
    table = corpus.mixtures("test")
    for row, name in enumerate(table.ids):
        voices = table.sources(row)
        np.testing.assert_allclose(voices.sum(0), expected[name]["mix_clean"], atol=2 * INT16)
        np.testing.assert_allclose(voices[0] + table.noise(row), expected[name]["mix_single"], atol=2 * INT16)


def test_a_corpus_of_mixtures_says_what_it_is(corpus: Corpus) -> None:
    summary = corpus.summary()
    assert (corpus.kind, corpus.sample_rate) == ("mixtures", 8000)
    assert summary["splits"]["train"]["speakers"] == 2
    assert summary["splits"]["train"]["speech_seconds"] == pytest.approx(3.0)
    assert corpus.mixtures("valid").speakers == ["11+12"] * 2


def test_batches_and_clips_are_drawn_from_it(corpus: Corpus) -> None:
    batch = mixture_batch(corpus, DATA, seed=1, step=0)
    assert batch.clean.shape == (3, 2, 3200)
    np.testing.assert_allclose(batch.noisy, batch.clean.sum(1), atol=1e-6)
    assert noisy_batch(corpus, DATA, seed=1, step=0).clean.shape == (3, 3200)
    clips = mixture_set(corpus, DATA, "valid")
    assert {clip.speaker for clip in clips} == {"11+12"}
    assert clips[0].clean.shape == (2, len(clips[0].noisy))


def test_a_pool_is_a_choice_of_the_stored_mixtures(corpus: Corpus) -> None:
    table = corpus.mixtures("train")
    everything = pool_voices(corpus, DATA, 100, seed=1)
    assert everything.shape == (len(table), 2)
    named = {tuple(map(voice_key, (f"{name}/s1", f"{name}/s2"))) for name in table.ids}
    assert {tuple(row) for row in everything.tolist()} == named
    assert torch.equal(pool_voices(corpus, DATA, 1, seed=1), everything[:1])
    one = pooled_batch(corpus, DATA, 1, seed=1, step=0)
    assert one.voices is not None
    assert one.voices.tolist() == everything[:1].tolist() * DATA.batch
    np.testing.assert_allclose(one.noisy, one.clean.sum(1), atol=1e-6)
    drawn = mixture_batch(corpus, DATA, seed=1, step=0).voices
    assert drawn is not None
    assert {tuple(row) for row in drawn.tolist()} <= named
    (whole,) = whole_pool(corpus, DATA, 100, seed=1, seconds=0.8)
    assert whole.clean.shape == (len(table), 2, 6400)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 16000}, "mixtures at 8000 Hz, sample_rate=16000 was asked for"),
        ({"speakers": 3}, "mixtures of 2 voices, sources=3 was asked for"),
    ],
)
def test_another_rate_or_number_is_refused(corpus: Corpus, change: dict[str, Any], message: str) -> None:
    from dataclasses import replace

    with pytest.raises(UserError, match=message):
        mixture_batch(corpus, replace(DATA, **change), seed=1, step=0)


def test_a_missing_file_is_named(librimix: Path, tmp_path: Path) -> None:
    (tmp_path / "metadata").symlink_to(librimix / "metadata")
    with pytest.raises(UserError, match=r"mixture .*: no file .*LibriSpeech"):
        librimix_recipe.list_source(tmp_path)
    with pytest.raises(UserError, match="no LibriMix metadata there"):
        librimix_recipe.list_source(tmp_path / "metadata")


# -- wsj0-2mix --------------------------------------------------------------------------------------------


@pytest.fixture
def wsj0(tmp_path: Path) -> Path:
    for number, folder in enumerate(("tr", "cv", "tt")):
        name = f"01{number}o030v_0.76421_20{number}a010m_-0.76421.wav"
        for source in (1, 2):
            _write(tmp_path / "wav8k/min" / folder / f"s{source}" / name, tone(number + source, 0.5), 8000)
    return tmp_path


def test_wsj0_2mix_keeps_its_files_samples(wsj0: Path, tmp_path: Path) -> None:
    corpus = write_corpus(wsj0_2mix_recipe.list_source(wsj0), tmp_path / "corpus", cache=tmp_path / "cache")
    table = corpus.mixtures("test")
    assert table.speakers == ["012+202"]
    expected = [
        soundfile.read(wsj0 / f"wav8k/min/tt/s{source}/{table.ids[0]}.wav", dtype="float32")[0] for source in (1, 2)
    ]
    np.testing.assert_array_equal(table.sources(0), expected)
    with pytest.raises(UserError, match="stores no noise with its mixtures"):
        noisy_batch(corpus, DATA, seed=1, step=0)


@pytest.mark.parametrize(
    ("ending", "encoding"), [("wav", "FLOAT"), ("wav", "DOUBLE"), ("flac", "PCM_16"), ("WAV", "PCM_24")]
)
def test_wsj0_2mix_in_other_encodings_has_the_same_samples(
    wsj0: Path, tmp_path: Path, ending: str, encoding: str
) -> None:
    """WHAM's script writes floats."""
    expected = write_corpus(wsj0_2mix_recipe.list_source(wsj0), tmp_path / "pcm", cache=tmp_path / "cache")
    for path in list(wsj0.rglob("*.wav")):
        samples, rate = soundfile.read(path)
        path.unlink()
        soundfile.write(path.with_suffix(f".{ending}"), samples, rate, subtype=encoding)
    corpus = write_corpus(wsj0_2mix_recipe.list_source(wsj0), tmp_path / "other", cache=tmp_path / "cache")
    assert corpus.fingerprint == expected.fingerprint
    assert corpus.mixtures("train").sources(0).std() > 0.01


def change(path: Path, samples: int = 4000, rate: int = 8000) -> None:
    _write(path, tone(5, 0.5)[:samples], rate)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda first: change(first.parents[1] / "s2" / first.name, samples=3000), "3000 samples at 8000 Hz, but"),
        (lambda first: change(first.parents[1] / "s2" / first.name, rate=16000), "4000 samples at 16000 Hz, but"),
        (lambda first: change(first.parents[1] / "noise" / first.name, samples=3999), "3999 samples at 8000 Hz, but"),
        (
            lambda first: change(first.parents[1] / "noise" / "another.wav"),
            "every mixture needs both sources, and noise",
        ),
        (lambda first: change(first.parents[1] / "s2" / "another.wav"), "every mixture needs both sources"),
        (lambda first: shutil.copy(first, first.with_suffix(".flac")), "another file has this name"),
    ],
)
def test_files_of_a_mixture_must_agree(wsj0: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(next((wsj0 / "wav8k/min/tr/s1").iterdir()))
    with pytest.raises(UserError, match=message):
        wsj0_2mix_recipe.list_source(wsj0)


def test_a_change_of_any_file_is_noticed(wsj0: Path) -> None:
    before = wsj0_2mix_recipe.identity(wsj0)
    change(next((wsj0 / "wav8k/min/tt/s2").iterdir()), samples=3999)
    assert wsj0_2mix_recipe.identity(wsj0) != before


def test_wsj0_2mix_at_another_rate_is_refused(tmp_path: Path) -> None:
    for folder in ("tr", "cv", "tt"):
        for source in (1, 2):
            change(tmp_path / folder / f"s{source}" / "01to030v_0.76421_20ga010m_-0.76421.wav", rate=11_025)
    with pytest.raises(UserError, match="files at 11025 Hz; all must have one rate, 8000 or 16000 Hz"):
        wsj0_2mix_recipe.list_source(tmp_path)


@pytest.mark.parametrize(
    ("part", "samples", "rate", "message"),
    [
        ("LibriSpeech", 8000, 8000, "sample rate 8000 Hz; LibriMix is made of files at 16000 Hz"),
        ("wham_noise", 22_050, 22_050, "sample rate 22050 Hz; LibriMix"),
        ("wham_noise", 4000, 16_000, "4000 samples; LibriMix repeats noise of a second"),
    ],
)
def test_librimix_checks_every_file_of_a_mixture(
    librimix: Path, tmp_path: Path, part: str, samples: int, rate: int, message: str
) -> None:
    source = shutil.copytree(librimix, tmp_path / "librimix")
    path = next(path for path in sorted((source / part).rglob("*")) if path.is_file())
    before = librimix_recipe.identity(source)
    _write(path, tone(1, 2)[:samples], rate)
    assert librimix_recipe.identity(source) != before
    with pytest.raises(UserError, match=message):
        librimix_recipe.list_source(source)


def test_librimix_metadata_without_a_gain_is_refused(librimix: Path, tmp_path: Path) -> None:
    source = shutil.copytree(librimix, tmp_path / "librimix")
    path = source / "metadata/libri2mix_dev-clean.csv"
    path.write_text(path.read_text().replace("0.25", "a quarter"))
    with pytest.raises(UserError, match=r"libri2mix_dev-clean\.csv, line 2: a gain or a path is missing or no number"):
        librimix_recipe.list_source(source)


def test_wsj0_2mix_without_a_partner_is_refused(wsj0: Path) -> None:
    next((wsj0 / "wav8k/min/cv/s2").iterdir()).unlink()
    with pytest.raises(UserError, match="every mixture needs both sources"):
        wsj0_2mix_recipe.list_source(wsj0)


def _write(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)


def _through_file(folder: Path, samples: np.ndarray) -> np.ndarray:
    soundfile.write(folder / "file.wav", samples, 8000)
    return soundfile.read(folder / "file.wav", dtype="float32")[0]


def test_a_pool_does_not_depend_on_how_long_its_mixtures_are_heard(wsj0: Path, tmp_path: Path) -> None:
    """Training takes mixtures as long as its crop; those labelled in longer pieces must be the same ones."""
    for number, seconds in enumerate((0.7, 1.1, 1.6)):
        for source in (1, 2):
            path = wsj0 / "wav8k/min/tr" / f"s{source}" / f"02{number}o030v_0.76421_21{number}a010m_-0.76421.wav"
            _write(path, tone(30 + number + source, seconds), 8000)
    corpus = write_corpus(wsj0_2mix_recipe.list_source(wsj0), tmp_path / "corpus", cache=tmp_path / "cache")
    assert len(set(corpus.mixtures("train").seconds)) == 4
    (whole,) = whole_pool(corpus, DATA, 3, seed=1, seconds=3.0)
    assert whole.voices is not None
    assert torch.equal(whole.voices, pool_voices(corpus, DATA, 3, seed=1))
    assert len(set(whole.lengths.tolist())) == 3
