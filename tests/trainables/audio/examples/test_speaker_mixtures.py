"""Mixtures of speakers drawn from a corpus of speech."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import FULL_SCALE, training_batch
from trainables.audio.examples.speaker_mixtures import (
    blend,
    mixture_batch,
    mixture_set,
    noisy_batch,
    resample,
)
from trainables.audio.levels import active_power
from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings

DATA = DataSettings(batch=6, crop_seconds=0.5, valid_seconds=1, test_seconds=1, speakers=2, sample_rate=8000)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """So many speakers that every split has two."""
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"), speakers=15)


def test_a_mixture_is_the_sum_of_its_voices(corpus: Corpus) -> None:
    batch = mixture_batch(corpus, DATA, seed=1, step=0)
    assert batch.noisy.shape == (6, 4000)
    assert batch.clean.shape == (6, 2, 4000)
    assert batch.noisy.dtype == torch.float32
    torch.testing.assert_close(batch.noisy, batch.clean.sum(1), atol=1e-6, rtol=0)
    assert batch.noisy.abs().max() <= FULL_SCALE + 1e-6


def test_a_draw_depends_on_seed_and_step_alone(corpus: Corpus) -> None:
    first = mixture_batch(corpus, DATA, seed=1, step=3)
    mixture_batch(corpus, DATA, seed=1, step=4)
    assert torch.equal(first.clean, mixture_batch(corpus, DATA, seed=1, step=3).clean)
    assert not torch.equal(first.clean, mixture_batch(corpus, DATA, seed=2, step=3).clean)
    assert not torch.equal(first.clean, mixture_batch(corpus, DATA, seed=1, step=4).clean)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("speakers", [2, 3])
def test_any_number_of_speakers_at_either_rate(corpus: Corpus, speakers: int, rate: int) -> None:
    data = replace(DATA, speakers=speakers, sample_rate=rate)
    assert mixture_batch(corpus, data, seed=1, step=0).clean.shape == (6, speakers, rate // 2)


def test_crops_longer_than_the_speech_are_padded_and_say_so(corpus: Corpus) -> None:
    batch = mixture_batch(corpus, replace(DATA, crop_seconds=3.0), seed=1, step=0)
    assert batch.noisy.shape == (6, 24_000)
    assert set(batch.lengths.tolist()) == {12_000}  # utterances of 1.5 s
    assert batch.noisy[:, 12_000:].abs().max() == 0


def test_voices_are_blended_at_their_level_over_the_shortest() -> None:
    rng = np.random.default_rng(0)
    crops = [0.01 * rng.standard_normal(size).astype(np.float32) for size in (9600, 8000)]
    voices = blend(crops, [3.0], 16_000, 16_000)
    assert voices.shape == (2, 8000)
    level = 10 * np.log10(active_power(voices[1]) / active_power(voices[0]))
    assert level == pytest.approx(3.0, abs=1e-3)
    np.testing.assert_array_equal(voices[0], crops[0][:8000])


def test_loud_blends_are_scaled_as_a_whole() -> None:
    crops = [np.tile(np.array([0.8, -0.8], np.float32), 2000)] * 2
    voices = blend(crops, [0.0], 16_000, 16_000)
    assert np.abs(voices.sum(0)).max() == pytest.approx(FULL_SCALE, rel=1e-5)
    np.testing.assert_allclose(voices[0], voices[1])


def test_one_voice_in_noise_is_the_mixing_of_enhancement_at_the_rate(corpus: Corpus) -> None:
    data = replace(DATA, speakers=1)
    plain, ours = training_batch(corpus, data, 4, 0), noisy_batch(corpus, data, 4, 0)
    np.testing.assert_array_equal(ours.clean.numpy(), resample(plain.clean.numpy(), 16_000, 8_000))
    assert ours.lengths.tolist() == [length // 2 for length in plain.lengths.tolist()]
    at_16_khz = noisy_batch(corpus, replace(data, sample_rate=16_000), 4, 0)
    assert torch.equal(at_16_khz.noisy, plain.noisy)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_evaluation_set_is_fixed_and_its_groups_share_no_voice(corpus: Corpus, split: str) -> None:
    clips = mixture_set(corpus, DATA, split)
    again = mixture_set(corpus, DATA, split)
    assert [clip.utterance for clip in clips] == [clip.utterance for clip in again]
    assert len({clip.utterance for clip in clips}) == len(clips)
    groups = {clip.speaker for clip in clips}
    voices = [name for group in groups for name in group.split("+")]
    assert len(voices) == len(set(voices)) == 2 * len(groups)
    for clip in clips:
        np.testing.assert_allclose(clip.noisy, clip.clean.sum(0), atol=1e-6)


def test_too_few_speakers_are_named(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="split 'valid' has 2 speakers; a mixture needs 4 different ones"):
        mixture_set(corpus, replace(DATA, speakers=4), "valid")
