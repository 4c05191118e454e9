"""Error rates against alignments counted by hand, a plain edit distance and jiwer on a whole corpus."""

import random
from collections.abc import Callable
from typing import Any

import jiwer
import numpy as np
import pytest

from trainables.metrics import Unscorable, Weighted
from trainables.metrics.recognition.error_rates import cer, cer_own, normalized, wer, wer_own

RATE = 16000
CLEAN, ESTIMATE = np.zeros(RATE), np.ones(RATE)


def reader(clean: str, estimate: str) -> Any:
    """A recogniser whose two readings are known."""
    return lambda audio: clean if audio is CLEAN else estimate


def test_rates_counted_by_hand() -> None:
    model = reader("THE CAT SAT ON A MAT", "THE CAT SIT ON MAT")
    # Against the transcript: SAT -> SIT, THE missing. 2 of 6 words; 1 + 4 of 22 characters (THE and its space).
    text = "The cat sat on the mat."
    assert wer(CLEAN, ESTIMATE, RATE, model, text) == pytest.approx((100 * 2 / 6, 6))
    assert cer(CLEAN, ESTIMATE, RATE, model, text) == pytest.approx((100 * 5 / 22, 22))
    # Against its own reading: A missing instead.
    assert wer_own(CLEAN, ESTIMATE, RATE, model) == pytest.approx((100 * 2 / 6, 6))
    assert cer_own(CLEAN, ESTIMATE, RATE, model) == pytest.approx((100 * 3 / 20, 20))


def test_insertions_pass_a_hundred_percent_and_nothing_read_is_a_hundred() -> None:
    assert wer(CLEAN, ESTIMATE, RATE, reader("", "a b c d"), "b") == Weighted(300.0, 1)
    assert wer(CLEAN, ESTIMATE, RATE, reader("", ""), "one two") == Weighted(100.0, 2)
    assert cer(CLEAN, ESTIMATE, RATE, reader("", ""), "one") == Weighted(100.0, 3)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Please call Stella.", "PLEASE CALL STELLA"),
        ("  don\u2019t -- stop-it ", "DON'T STOP IT"),
        ("'tis the boys' \"turn\"", "TIS THE BOYS TURN"),
        ("stra\u00dfe caf\u00e9 cafe\u0301", "STRASSE CAF\u00c9 CAF\u00c9"),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", "\u0928\u092e\u0938\u094d\u0924\u0947"),  # its vowel signs stay
        ("in 1984, 3 times", "IN 1984 3 TIMES"),
        ("... ' ?!", ""),
    ],
)
def test_both_texts_are_put_into_one_form(text: str, form: str) -> None:
    assert normalized(text) == form
    assert normalized(form) == form


@pytest.mark.parametrize("metric", [wer, cer])
def test_without_a_reference_there_is_no_rate(metric: Callable[..., Weighted]) -> None:
    for text, status in ((None, "no_transcript"), (" ... ", "empty_reference")):
        with pytest.raises(Unscorable) as failure:
            metric(CLEAN, ESTIMATE, RATE, reader("x", "y"), text)
        assert failure.value.status == status


@pytest.mark.parametrize("metric", [wer_own, cer_own])
def test_where_nothing_is_read_in_the_clean_clip_there_is_no_rate(metric: Callable[..., Weighted]) -> None:
    with pytest.raises(Unscorable) as failure:
        metric(CLEAN, ESTIMATE, RATE, reader("", "y"))
    assert failure.value.status == "empty_reference"


def test_against_a_plain_edit_distance_and_the_corpus_level_rate() -> None:
    rng = random.Random(0)
    words = ["A", "BE", "SEE", "DEED", "E'EN"]
    pairs = [tuple(" ".join(rng.choices(words, k=rng.randint(1, 9))) for _ in range(2)) for _ in range(200)]
    by_words = [wer(CLEAN, ESTIMATE, RATE, reader("", reading), text) for text, reading in pairs]
    by_characters = [cer(CLEAN, ESTIMATE, RATE, reader("", reading), text) for text, reading in pairs]
    for (text, reading), of_words, of_characters in zip(pairs, by_words, by_characters, strict=True):
        assert of_words.value == pytest.approx(100 * edits(text.split(), reading.split()) / len(text.split()))
        assert of_characters.value == pytest.approx(100 * edits(list(text), list(reading)) / len(text))
    for found, reference in ((by_words, jiwer.wer), (by_characters, jiwer.cer)):
        mean = np.average([each.value for each in found], weights=[each.weight for each in found])
        assert mean == pytest.approx(100 * reference([text for text, _ in pairs], [reading for _, reading in pairs]))


def edits(one: list[str], other: list[str]) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]
