"""What a machine of a cluster answers when it is asked whether it can do the sweep's jobs."""

import shutil
from pathlib import Path

import pytest

from sweep.machines.shared_storage import Probe, _code, check_here, require_shared
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.base.storage.storage import Storage


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    corpus = make_tiny_corpus(tmp_path / "corpus")
    storage = Storage(tmp_path / "results")
    storage.write("probe/driver", b"")
    return Probe(storage, "probe", corpus.uri, corpus.fingerprint, _code())


def test_a_machine_that_sees_everything_leaves_its_mark(probe: Probe) -> None:
    assert check_here(probe, "machine") == ""
    assert probe.storage.exists("probe/machine")


def test_a_folder_of_the_drivers_own_is_told_with_the_remedy(probe: Probe, tmp_path: Path) -> None:
    elsewhere = probe._replace(storage=Storage(tmp_path / "another disk"))
    assert "does not see what the driver writes" in check_here(elsewhere, "machine")
    assert "--output s3://" in check_here(elsewhere, "machine")


def test_a_corpus_that_is_not_there_is_told(probe: Probe) -> None:
    shutil.rmtree(probe.corpus_uri)
    assert f"no corpus at {probe.corpus_uri}" in check_here(probe, "machine")


def test_other_code_is_told(probe: Probe) -> None:
    assert "install the same on all machines" in check_here(probe._replace(code="0.0.1"), "machine")


def test_a_machine_alone_shares_with_nobody(ray_cluster: None, probe: Probe) -> None:
    require_shared(Storage("s3://a-bucket-that-nobody-made"), Corpus.open(probe.corpus_uri))
