"""What every stage of this method keeps to, whatever it computes."""

import importlib
from unittest.mock import Mock

import pytest

from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.config.registry import stage_runner
from trainables.job.assignment import DataSettings
from trainables.job.stages import StagePlace, in_order
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.gates.stages import gate_stages


@pytest.mark.parametrize("kind", ["speech_units", "pretraining", "clean_statistics", "transfer_gap", "mismatch"])
def test_a_stage_computes_deterministically_as_its_device_allows(
    kind: str, corpus: Corpus, artifacts: MemoryArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = NormalizedSSLConfig.from_dict({"upstream": "hubert", "norm_layers": [1], "clean_stats": "corpus"})
    place: StagePlace = {"corpus_uri": corpus.uri, "corpus_fingerprint": corpus.fingerprint, "device": "cuda"}
    gates = gate_stages(config, (1,), DataSettings(valid_seconds=2), **place)
    stages = in_order((*config.stages(1, **place), *gates))
    stage = next(stage for stage in stages if stage.kind == kind)
    module, function = stage_runner(stage.runner).split(":")
    runner = importlib.import_module(module)
    asked = Mock(side_effect=InterruptedError)
    monkeypatch.setattr(runner, "deterministic", asked)
    with pytest.raises(InterruptedError):
        getattr(runner, function)(stage, corpus, artifacts, lambda done, total: None)
    asked.assert_called_once_with(stage.threads, stage.device)
