"""The demo corpus: synthetic, the same bits every time, with splits that share nothing."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.listing import SPLITS
from trainables.audio.recipes.demo import demo_corpus, demo_noise, demo_voices, espeak
from trainables.audio.recipes.preparation import inspect_source, open_or_prepare
from trainables.base.errors import UserError


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng-loader is not installed: pip install espeakng-loader")
    return open_or_prepare("demo", cache=tmp_path_factory.mktemp("demo"))


def test_it_says_that_it_is_synthetic(demo: Corpus) -> None:
    assert demo.synthetic
    assert demo.summary()["synthetic"] is True
    assert any("synthetic" in note for note in demo.summary()["notes"])


def test_it_is_large_enough_to_learn_from_and_to_judge_on(demo: Corpus) -> None:
    minutes = {split: demo.summary()["splits"][split]["speech_seconds"] / 60 for split in SPLITS}
    assert 20 <= minutes["train"] <= 30
    assert 2 <= minutes["valid"] <= 4
    assert 5 <= minutes["test"] <= 8
    assert {split: demo.summary()["splits"][split]["speakers"] for split in SPLITS} == {
        "train": 28,
        "valid": 30,
        "test": 60,
    }
    assert demo.summary()["noise_types"] >= 9


def test_splits_share_no_speaker_no_noise_and_no_sentence(demo: Corpus) -> None:
    speakers = [set(demo.speech(split).speakers) for split in SPLITS]
    types = [set(demo.noise(split).types) for split in SPLITS]
    sentences = [set(demo_voices.SENTENCES[split]) for split in SPLITS]
    for kinds in (speakers, types, sentences):
        assert len(set.union(*kinds)) == sum(map(len, kinds))


def test_the_babble_is_of_voices_that_speak_nowhere_else() -> None:
    crowd = {speaker.voice.split("+")[1] for speaker in demo_voices.speakers("crowd")}
    others = {speaker.voice.split("+")[1] for split in SPLITS for speaker in demo_voices.speakers(split)}
    assert not crowd & others


def test_every_utterance_is_audible_and_short_of_clipping(demo: Corpus) -> None:
    for split in SPLITS:
        speech = demo.speech(split)
        for row in range(0, len(speech), 7):
            samples = speech.audio(row)
            assert -45 < 10 * np.log10(np.mean(samples**2)) < -15
            assert np.abs(samples).max() < 0.999
            assert 1.0 < speech.seconds[row] < 15


def test_a_process_that_speaks_again_says_the_same(demo: Corpus) -> None:
    """Breathy voices draw on a clock unless they are seeded; f5 and victor are breathy."""
    breathy = [s for split in SPLITS for s in demo_voices.speakers(split) if s.voice.endswith(("+f5", "+victor"))]
    lines = [speaker.says("The baker leaves two warm loaves.") for speaker in breathy]
    assert len(lines) == 4  # f5, and victor in three accents
    first, again = espeak.speak(lines), espeak.speak(lines)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("name", sorted(demo_noise.GENERATORS))
def test_every_noise_is_finite_heard_throughout_and_its_own(name: str) -> None:
    generate = demo_noise.GENERATORS[name]
    noise = generate(np.random.default_rng(1), 48_000)
    assert noise.shape == (48_000,)
    assert np.isfinite(noise).all()
    assert all(third.std() > 0.01 * noise.std() for third in np.split(noise, 3))
    assert np.array_equal(noise, generate(np.random.default_rng(1), 48_000))
    assert not np.array_equal(noise, generate(np.random.default_rng(2), 48_000))


@pytest.mark.parametrize(("slope", "name"), [(0.0, "white"), (3.01, "pink"), (6.02, "brown")])
def test_coloured_noise_falls_as_it_says(slope: float, name: str) -> None:
    """Mean power density in the octave bands around 500 and 4000 Hz, three octaves apart."""
    noise = demo_noise.coloured(np.random.default_rng(0), 320_000, slope)
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequencies = np.fft.rfftfreq(320_000, 1 / 16_000)
    low, high = (power[(frequencies > f / 2**0.5) & (frequencies < f * 2**0.5)].mean() for f in (500, 4000))
    assert 10 * np.log10(low / high) == pytest.approx(3 * slope, abs=0.5)


def test_a_voice_that_does_not_exist_is_an_error() -> None:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader is not installed")
    with pytest.raises(RuntimeError, match=r"no variant for voice en-us\+nobody"):
        espeak.speak([espeak.Utterance("en-us+nobody", 160, 50, 50, "Hello.")])
    with pytest.raises(RuntimeError, match=r"refused voice nowhere\+f1"):
        espeak.speak([espeak.Utterance("nowhere+f1", 160, 50, 50, "Hello.")])


def test_without_espeak_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(espeak, "is_installed", lambda: False)
    for use in (open_or_prepare, inspect_source):
        with pytest.raises(UserError, match=r'pip install "\.\[demo\]" in the repository.*--corpus'):
            use("demo", cache=tmp_path)


def test_a_plan_knows_about_what_it_will_be(demo: Corpus, tmp_path: Path) -> None:
    expected, made = inspect_source("demo", cache=tmp_path), demo.summary()
    for count in ("speakers", "utterances", "noise_types", "noises", "noise_seconds"):
        assert expected[count] == made[count]
    assert expected["speech_seconds"] == pytest.approx(made["speech_seconds"], rel=0.2)
    assert demo_corpus.identity() in expected["uri"]
