"""Whether a machine of a cluster can run the sweep's jobs, and why not."""

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


def test_a_folder_that_only_the_driver_sees_is_reported_with_the_remedy(probe: Probe, tmp_path: Path) -> None:
    elsewhere = probe._replace(storage=Storage(tmp_path / "another disk"))
    assert "does not see what the driver writes" in check_here(elsewhere, "machine")
    assert "--output s3://" in check_here(elsewhere, "machine")


def test_a_missing_corpus_is_reported(probe: Probe) -> None:
    shutil.rmtree(probe.corpus_uri)
    assert f"no corpus at {probe.corpus_uri}" in check_here(probe, "machine")


def test_other_code_is_reported(probe: Probe) -> None:
    assert "install the same on all machines" in check_here(probe._replace(code="0.0.1"), "machine")


def test_a_single_machine_is_not_probed(ray_cluster: None, probe: Probe) -> None:
    require_shared(probe.storage, Corpus.open(probe.corpus_uri))
    assert probe.storage.list("") == ["probe/driver"]
