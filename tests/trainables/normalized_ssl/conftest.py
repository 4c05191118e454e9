"""What the tests of this method share: a corpus of a few seconds and artifacts in memory."""

import pytest

from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus


class MemoryArtifacts(dict):
    """The `Artifacts` protocol over a dictionary."""

    def has(self, key: str) -> bool:
        return key in self

    def read(self, key: str) -> bytes:
        return self[key]

    def write(self, key: str, content: bytes) -> None:
        self[key] = content


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()
