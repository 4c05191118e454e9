"""A pool's mixtures come again: the same voices at the same levels, in other crops."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import Batch, voice_key
from trainables.audio.examples.mixture_pool import pool_voices, pooled_batch, whole_pool
from trainables.audio.examples.speaker_mixtures import mixture_batch
from trainables.audio.levels import active_power
from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings

DATA = DataSettings(batch=6, crop_seconds=0.5, speakers=2, sample_rate=8000)
POOL, SEED = 10, 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"), speakers=15)


def rows(batch: Batch) -> list[tuple[int, ...]]:
    assert batch.voices is not None
    return [tuple(each) for each in batch.voices.tolist()]


def level(voices: torch.Tensor) -> float:
    first, second = (active_power(voice.numpy()) for voice in voices)
    return 10 * float(torch.tensor(second / first).log10())


def test_batches_hold_mixtures_of_the_pool_and_in_time_all(corpus: Corpus) -> None:
    members = {tuple(each) for each in pool_voices(corpus, DATA, POOL, SEED).tolist()}
    seen = [row for step in range(20) for row in rows(pooled_batch(corpus, DATA, POOL, SEED, step))]
    assert set(seen) == members
    assert len(set(rows(pooled_batch(corpus, DATA, POOL, SEED, 0)))) == DATA.batch  # none twice


def test_a_mixture_keeps_its_voices_and_levels_and_has_other_crops(corpus: Corpus) -> None:
    found: dict[tuple[int, ...], list[torch.Tensor]] = {}
    for step in range(6):
        batch = pooled_batch(corpus, DATA, POOL, SEED, step)
        for row, voices in zip(rows(batch), batch.clean, strict=True):
            found.setdefault(row, []).append(voices)
    again = [voices for voices in found.values() if len(voices) > 1]
    assert len(again) > 5
    for voices in again:
        levels = [level(each) for each in voices]
        assert max(levels) - min(levels) < 0.1
        assert all(not torch.equal(one, other) for one, other in pairwise(voices))


def test_a_batch_depends_on_seed_and_step_alone(corpus: Corpus) -> None:
    one = pooled_batch(corpus, DATA, POOL, SEED, 5)
    pooled_batch(corpus, DATA, POOL, SEED, 6)
    other = pooled_batch(corpus, DATA, POOL, SEED, 5)
    assert torch.equal(one.clean, other.clean)
    assert not torch.equal(one.clean, pooled_batch(corpus, DATA, POOL, SEED, 6).clean)
    assert rows(one) != rows(pooled_batch(corpus, DATA, POOL, SEED + 1, 5))


def test_a_larger_pool_begins_with_the_smaller(corpus: Corpus) -> None:
    small, large = (pool_voices(corpus, DATA, mixtures, SEED) for mixtures in (4, 9))
    assert torch.equal(large[:4], small)


def test_the_whole_pool_is_every_mixture_once_at_any_length(corpus: Corpus) -> None:
    batches = list(whole_pool(corpus, DATA, POOL, SEED, 1.0, batch=4))
    assert [len(batch.noisy) for batch in batches] == [4, 4, 2]
    assert torch.tensor([row for batch in batches for row in rows(batch)]).equal(pool_voices(corpus, DATA, POOL, SEED))
    assert batches[0].noisy.shape[1] == 8000
    again = next(iter(whole_pool(corpus, DATA, POOL, SEED, 1.0, batch=4)))
    assert torch.equal(again.clean, batches[0].clean)


def test_voices_are_of_different_speakers_and_their_keys_those_of_any_mixture(corpus: Corpus) -> None:
    speech = corpus.speech("train")
    speaker = {voice_key(name): who for name, who in zip(speech.ids, speech.speakers, strict=True)}
    drawn = mixture_batch(corpus, DATA, seed=1, step=0)
    for row in [*pool_voices(corpus, DATA, 50, SEED).tolist(), *rows(drawn)]:
        assert speaker[row[0]] != speaker[row[1]]


def test_a_mixture_of_three(corpus: Corpus) -> None:
    batch = pooled_batch(corpus, replace(DATA, speakers=3), POOL, SEED, 0)
    assert batch.clean.shape == (6, 3, 4000)
    assert len(rows(batch)[0]) == 3


def test_a_pool_smaller_than_a_batch_repeats_itself(corpus: Corpus) -> None:
    assert len(set(rows(pooled_batch(corpus, DATA, 2, SEED, 0)))) <= 2


@pytest.mark.parametrize("draw", [pooled_batch, pool_voices])
def test_one_speaker_makes_no_mixtures(corpus: Corpus, draw: Callable[..., object]) -> None:
    many = replace(DATA, speakers=40)
    with pytest.raises(UserError, match="a mixture needs 40 different ones"):
        draw(corpus, many, POOL, SEED, *([0] if draw is pooled_batch else []))


def test_voices_move_with_their_batch(corpus: Corpus) -> None:
    batch = pooled_batch(corpus, DATA, POOL, SEED, 0)
    assert rows(batch.to(torch.device("cpu"))) == rows(batch)
    assert rows(batch.first(2)) == rows(batch)[:2]
    assert batch.first(2).clean.shape[0] == batch.first(2).lengths.shape[0] == 2
