"""The gate: its interval by a plain jackknife, its stage, and that a planted component is seen."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from sweep.verdict.gates import interpretable
from tests.support.methods.memory_artifacts import MemoryArtifacts
from tests.trainables.position_invariant.support import config
from trainables.audio.corpus.corpus import Corpus
from trainables.config.registry import gates_of, run_stage
from trainables.job.assignment import DataSettings
from trainables.job.stages import StagePlace, in_order
from trainables.position_invariant.gates.position_component import with_interval
from trainables.position_invariant.gates.stages import gate_stages, read_gates
from trainables.ssl.representation import shortcut_indices

PLACE: StagePlace = {"corpus_uri": "/c", "corpus_fingerprint": "f"}


def features(strength: float, utterances: int = 6, frames: int = 30) -> list[torch.Tensor]:
    """Random frames, and a vector of each position's own."""
    generator = torch.Generator().manual_seed(4)
    shared = strength * torch.randn(frames, 16, generator=generator)
    return [shared + torch.randn(frames, 16, generator=generator) for _ in range(utterances)]


def test_the_interval_is_the_jackknifes_over_utterances() -> None:
    given = features(0.4)
    found = with_interval(np.array(shortcut_indices(given)))
    left_out = [np.mean(shortcut_indices(given[:u] + given[u + 1 :])) for u in range(len(given))]
    half = stats.t.ppf(0.975, 5) * np.sqrt(5 * np.var(left_out))
    assert found["value"] == pytest.approx(np.mean(shortcut_indices(given)))
    assert found["interval"] == pytest.approx([found["value"] - half, found["value"] + half])
    assert with_interval(np.array([0.1, 0.1]))["interval"] is None


@pytest.mark.parametrize(("strength", "meaningful"), [(0.0, False), (0.7, True)])
def test_a_component_is_seen_where_there_is_one(strength: float, meaningful: bool) -> None:
    row = {"layer": 1, **with_interval(np.array(shortcut_indices(features(strength, utterances=12))))}
    assert interpretable(position=[row])["interpretable"] is meaningful


def test_one_stage_over_the_references_of_all_seeds() -> None:
    (stage,) = gate_stages(config(), (1, 2), DataSettings(), **PLACE)
    assert [below.seed for below in stage.rests_on] == [1, 2]
    (published,) = gate_stages(config(size="base"), (1, 2), DataSettings(), **PLACE)
    assert len(published.rests_on) == 1
    keys = {
        gate_stages(config(**values), (1, 2), DataSettings(), **PLACE)[0].key for values in ({}, {"variant": "mse"})
    }
    assert keys == {stage.key}


def test_it_is_measured_at_every_layer(corpus: Corpus) -> None:
    place: StagePlace = {"corpus_uri": corpus.uri, "corpus_fingerprint": corpus.fingerprint}
    settings, artifacts = config(pretraining_steps=1), MemoryArtifacts()
    (stage,) = gate_stages(settings, (1, 2), DataSettings(valid_seconds=6.0), **place)
    for each in in_order((stage,)):
        run_stage(each, corpus, artifacts)
    found = read_gates({stage.kind: [artifacts.read(stage.key)]})
    assert [row["layer"] for row in found["position"]] == [1, 2, 3]
    assert gates_of("position_invariant").read_gates is read_gates  # type: ignore[union-attr]
    interpretable(**found)


def test_an_utterance_at_several_snrs_counts_once(corpus: Corpus) -> None:
    once, thrice = (
        _measured(corpus, DataSettings(valid_seconds=1e4, evaluation_snrs=snrs)) for snrs in ((5.0,), (-5.0, 5.0, 15.0))
    )
    for one, other in zip(once, thrice, strict=True):
        assert other["value"] == pytest.approx(one["value"], abs=1e-5)
        assert other["interval"] == pytest.approx(one["interval"], abs=1e-4)


def test_one_valid_clip_has_nothing_to_be_compared_with(corpus: Corpus) -> None:
    """The sweep goes on and says so."""
    found = _measured(corpus, DataSettings(valid_seconds=0.1))
    assert found == [{"layer": layer, "value": None, "interval": None} for layer in (1, 2, 3)]
    verdict = interpretable(position=found)
    assert not verdict["interpretable"]
    assert len(verdict["reasons"]) == 1
    assert "3 utterances" in verdict["reasons"][0]


def _measured(corpus: Corpus, data: DataSettings) -> list[dict[str, Any]]:
    place: StagePlace = {"corpus_uri": corpus.uri, "corpus_fingerprint": corpus.fingerprint}
    artifacts = MemoryArtifacts()
    (stage,) = gate_stages(config(pretraining_steps=1), (1,), data, **place)
    for each in in_order((stage,)):
        run_stage(each, corpus, artifacts)
    found: list[dict[str, Any]] = read_gates({stage.kind: [artifacts.read(stage.key)]})["position"]
    return found
