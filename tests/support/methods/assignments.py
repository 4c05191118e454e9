"""A job small enough for a test."""

from typing import Any

from trainables.audio.corpus.corpus import Corpus
from trainables.job.assignment import Assignment, DataSettings

DATA = DataSettings(batch=2, crop_seconds=0.5, valid_seconds=3.0, test_seconds=3.0)


def small_assignment(corpus: Corpus, **values: Any) -> Assignment:
    """Eight steps in rounds of two on `corpus`, except for what `values` say."""
    usual = {"job": "all/search/none/0001", "seed": 7, "steps": 8, "round_steps": 2, "data": DATA}
    place = {"corpus_uri": corpus.uri, "corpus_fingerprint": corpus.fingerprint}
    return Assignment(**{**usual, **place, **values})
