"""Which clips are kept for listening, and that they come back as they were."""

from collections.abc import Iterable

import numpy as np
import pytest

from trainables.audio.examples.mixing import EvaluationClip
from trainables.inference import read_estimates
from trainables.listening import choose, read_clips, write_chosen, write_clips

RATE = 8000


def clip(
    number: int, noise: str = "hum", snr: float = 0.0, speaker: str = "s0", seconds: float = 1.0, voices: int = 1
) -> EvaluationClip:
    rng = np.random.default_rng(number)
    clean = rng.standard_normal((voices, int(seconds * RATE))).astype(np.float32)
    shaped = clean[0] if voices == 1 else clean
    return EvaluationClip(f"u{number}", speaker, noise, snr, clean.sum(axis=0), shaped)


def names(clips: Iterable[EvaluationClip]) -> list[str]:
    return [each.utterance for each in clips]


def test_every_noise_type_is_heard_before_any_is_heard_twice() -> None:
    clips = [clip(n, noise) for n, noise in enumerate(["hum"] * 5 + ["babble"] * 2 + ["train"])]
    assert {each.noise_type for each in choose(clips, RATE, 3)} == {"hum", "babble", "train"}


def test_of_one_noise_type_levels_and_then_speakers_differ() -> None:
    clips = [clip(n, snr=snr, speaker=who) for n, (snr, who) in enumerate([(0, "a"), (0, "b"), (5, "a"), (5, "b")])]
    first, second = choose(clips, RATE, 2)
    assert (first.snr_db, first.speaker) != (second.snr_db, second.speaker)
    assert first.snr_db != second.snr_db
    assert first.speaker != second.speaker


def test_of_equals_the_one_near_four_seconds_is_taken() -> None:
    assert names(choose([clip(0, seconds=1), clip(1, seconds=4), clip(2, seconds=9)], RATE, 1)) == ["u1"]


def test_measured_levels_that_hardly_differ_count_as_one() -> None:
    clips = [clip(0, snr=0.2), clip(1, snr=0.9), clip(2, snr=9.7)]
    assert "u2" in names(choose(clips, RATE, 2))


def test_they_come_in_the_order_of_the_set_and_there_may_be_fewer() -> None:
    clips = [clip(n, noise) for n, noise in enumerate(["hum", "babble", "hum"])]
    assert names(choose(clips, RATE, 10)) == ["u0", "u1", "u2"]
    assert choose([], RATE) == []


@pytest.mark.parametrize("voices", [1, 2])
def test_clips_come_back_as_they_were(voices: int) -> None:
    written = [clip(n, voices=voices, snr=n - 2.5) for n in range(3)]
    for before, after in zip(written, read_clips(write_clips(written)), strict=True):
        assert (before.utterance, before.speaker, before.noise_type, before.snr_db) == (
            after.utterance,
            after.speaker,
            after.noise_type,
            after.snr_db,
        )
        assert np.array_equal(before.noisy, after.noisy)
        assert np.array_equal(before.clean, after.clean)
        assert before.clean.dtype == after.clean.dtype


def test_the_estimates_kept_are_those_of_the_chosen_clips() -> None:
    clips = [clip(n, f"noise {n}") for n in range(9)]
    estimates = [(each, 0.5 * each.clean) for each in clips]
    kept = read_estimates(write_chosen(estimates, RATE))
    assert list(kept) == names(choose(clips, RATE))
    assert np.array_equal(kept["u0"], 0.5 * clips[0].clean)
