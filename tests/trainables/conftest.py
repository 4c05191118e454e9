"""What the tests of training share: a corpus of a few seconds, storage for stages, a real S3 server."""

from pathlib import Path

import pytest

from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.servers.s3 import s3_bucket, s3_server, storage
from trainables.audio.corpus.corpus import Corpus
from trainables.base.storage.storage import Storage

__all__ = ["s3_bucket", "s3_server", "storage"]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def artifacts(tmp_path: Path) -> StoredArtifacts:
    return StoredArtifacts(Storage(tmp_path / "stages"))
