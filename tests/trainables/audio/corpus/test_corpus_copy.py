"""A corpus of this machine, copied to S3 (a real server) for the others."""

import numpy as np
import pytest

from trainables.audio.corpus.corpus import CORPUS_FILE, Corpus
from trainables.audio.corpus.corpus_writer import shared_copy
from trainables.base.storage.storage import InputStorage


def test_the_copy_is_the_same_corpus(mixed_corpus: Corpus, s3_bucket: str) -> None:
    copy = shared_copy(mixed_corpus, f"{s3_bucket}/corpora")
    assert copy.uri == f"{s3_bucket}/corpora/{mixed_corpus.fingerprint}"
    assert copy.speech("train").ids == mixed_corpus.speech("train").ids
    assert np.array_equal(copy.noise("test").audio(0), mixed_corpus.noise("test").audio(0))


def test_a_corpus_on_s3_stays_where_it_is(mixed_corpus: Corpus, s3_bucket: str) -> None:
    copy = shared_copy(mixed_corpus, f"{s3_bucket}/corpora")
    assert shared_copy(copy, f"{s3_bucket}/elsewhere") is copy


def test_a_copy_that_was_broken_off_is_none(
    mixed_corpus: Corpus, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(place: InputStorage, name: str, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(InputStorage, "write", broken_off)
    with pytest.raises(KeyboardInterrupt):
        shared_copy(mixed_corpus, f"{s3_bucket}/corpora")
    assert InputStorage(f"{s3_bucket}/corpora/{mixed_corpus.fingerprint}").size(CORPUS_FILE) is None
    monkeypatch.undo()


def test_it_is_copied_once(mixed_corpus: Corpus, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_copy(mixed_corpus, f"{s3_bucket}/corpora")
    monkeypatch.setattr(InputStorage, "upload", None)
    shared_copy(mixed_corpus, f"{s3_bucket}/corpora")
