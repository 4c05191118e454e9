from typing import Any

import numpy as np
import pytest

from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.config.registry import run_stage
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, in_order
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.gates import gates
from trainables.normalized_ssl.gates.stages import gate_stages, read_gates

DATA = DataSettings(batch=2, crop_seconds=0.5, valid_seconds=2, test_seconds=2, evaluation_clip_seconds=0.5)
FIELDS = {"pretraining_steps": 3, "gate_steps": 2, "w_mstft": 0.0, "lr_head": 0.01}


@pytest.fixture(scope="module", params=["tera", "wav2vec2"])
def measured(request: pytest.FixtureRequest, corpus: Corpus, artifacts: MemoryArtifacts) -> list[tuple[Stage, bytes]]:
    """Every gate stage of one upstream, with its artifact."""
    config = NormalizedSSLConfig.from_dict({"upstream": request.param, **FIELDS})
    stages = gate_stages(config, (1, 2), DATA, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    for stage in in_order(stages):
        run_stage(stage, corpus, artifacts)
    return [(stage, artifacts.read(stage.key)) for stage in stages]


@pytest.fixture
def read(measured: list[tuple[Stage, bytes]]) -> dict[str, Any]:
    contents: dict[str, list[bytes]] = {}
    for stage, content in measured:
        contents.setdefault(stage.kind, []).append(content)
    return read_gates(contents)


def test_every_utterance_is_scored_on_both_bodies_for_every_seed(read: dict[str, Any]) -> None:
    gap = read["transfer_gap"]
    shape = (2, len(gap["utterances"]))
    pretrained, random = np.array(gap["pretrained"], float), np.array(gap["random"], float)
    assert pretrained.shape == random.shape == shape
    assert np.isfinite(pretrained).all()
    assert np.isfinite(random).all()
    assert (pretrained != random).any(axis=1).all()


def test_every_site_has_a_mismatch_with_an_interval(read: dict[str, Any]) -> None:
    assert [site["site"] for site in read["mismatch"]] == list(range(len(read["mismatch"])))
    for site in read["mismatch"]:
        low, high = site["interval"]
        assert low <= site["value"] <= high
        assert len(site["seeds"]) == 2


def test_a_gate_gives_the_same_bytes_again(
    measured: list[tuple[Stage, bytes]], corpus: Corpus, artifacts: MemoryArtifacts
) -> None:
    for stage, content in (measured[0], measured[-1]):
        compute = getattr(gates, stage.kind)
        assert compute(stage, corpus, artifacts, lambda done, total: None) == content
