"""A corpus on S3 (a real server): prepared there, copied once per node, whole or not at all."""

import multiprocessing
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.audio.recordings import speech_and_noise
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.corpus.listing import Item
from trainables.audio.recipes import folder as folder_recipe
from trainables.base.cache import cache_folder
from trainables.base.errors import UserError
from trainables.base.storage.storage import InputStorage


@pytest.fixture
def remote_corpus(s3_bucket: str, tmp_path: Path) -> Corpus:
    source = speech_and_noise(tmp_path / "source")
    return write_corpus(folder_recipe.list_source(source), f"{s3_bucket}/mine", shard_bytes=60_000)


def copies(corpus: Corpus) -> set[str]:
    return {path.name for path in (cache_folder() / "corpora" / corpus.fingerprint).glob("*.arrow")}


def test_it_is_the_same_corpus_as_on_disk(remote_corpus: Corpus, tmp_path: Path) -> None:
    listing = folder_recipe.list_source(tmp_path / "source")
    local = write_corpus(listing, tmp_path / "local", shard_bytes=60_000)
    assert remote_corpus.fingerprint == local.fingerprint
    assert remote_corpus.speech("train").ids == local.speech("train").ids
    assert np.array_equal(remote_corpus.noise("test").audio(0), local.noise("test").audio(0))


def test_only_what_is_asked_for_is_copied(remote_corpus: Corpus) -> None:
    corpus = Corpus.open(remote_corpus.uri)
    assert copies(corpus) == set()
    corpus.noise("valid")
    assert copies(corpus) == {"noise-valid-00000.arrow"}


def test_processes_of_a_node_share_one_copy(remote_corpus: Corpus) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        lengths = pool.map(_rows_of_train, [remote_corpus.uri] * 4)
    assert len(set(lengths)) == 1
    assert all(name.startswith("speech-train") for name in copies(remote_corpus))
    assert not list(cache_folder().rglob("*.partial"))


def test_a_copy_outlives_its_source(remote_corpus: Corpus) -> None:
    """Once copied, the bytes on S3 are not read again."""
    remote_corpus.speech("train")
    place = InputStorage(remote_corpus.uri)
    place.write("speech-train-00000.arrow", b"other bytes")
    again = pickle.loads(pickle.dumps(remote_corpus))
    assert np.array_equal(again.speech("train").audio(0), remote_corpus.speech("train").audio(0))


def test_a_damaged_shard_is_refused_and_leaves_nothing(remote_corpus: Corpus) -> None:
    InputStorage(remote_corpus.uri).write("noise-test-00000.arrow", b"damaged")
    with pytest.raises(UserError, match=r"noise-test-00000\.arrow is damaged"):
        Corpus.open(remote_corpus.uri).noise("test")
    assert copies(remote_corpus) == set()


def test_an_interrupted_upload_is_continued(s3_bucket: str, tmp_path: Path) -> None:
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))
    place = InputStorage(f"{s3_bucket}/mine")

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(listing, place.uri, stop, shard_bytes=30_000)
    assert place.size("corpus.json") is None
    read: list[str] = []

    def load(item: Item) -> dict[str, np.ndarray]:
        read.append(item.id)
        return listing.load(item)

    resumed = write_corpus(replace(listing, load=load), place.uri, shard_bytes=30_000)
    whole = write_corpus(listing, tmp_path / "whole", shard_bytes=30_000)
    assert resumed.fingerprint == whole.fingerprint
    assert 0 < len(read) < len(listing.items)
    assert place.size("speech-train-00000.arrow.json") is None


def test_a_bucket_that_does_not_exist(s3_bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"s3://nowhere/mine: .*bucket does not exist"):
        Corpus.open("s3://nowhere/mine")
    listing = folder_recipe.list_source(speech_and_noise(tmp_path / "source"))
    with pytest.raises(UserError, match=r"s3://nowhere/mine: .*bucket does not exist"):
        write_corpus(listing, "s3://nowhere/mine")


def _rows_of_train(uri: str) -> int:
    return len(Corpus.open(uri).speech("train"))
