"""The published size: one training step of the paper preset for each upstream, from files in the public format.

The weights in them are random. No GPU is needed, but some gigabytes and a minute or two are.
"""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.ssl_presets import PAPER, paper_layer
from tests.support.methods import s3prl_model
from tests.support.methods.memory_artifacts import MemoryArtifacts
from tests.trainables.ssl.published_weights.test_apc_files import Reference, write
from tests.trainables.ssl.published_weights.test_transformers_files import LARGE
from trainables.audio.corpus.corpus import Corpus
from trainables.config.registry import run_stage
from trainables.job.assignment import Assignment
from trainables.normalized_ssl.config import SPECTRAL_UPSTREAMS, UPSTREAMS, NormalizedSSLConfig
from trainables.session import TrainingSession

pytestmark = pytest.mark.slow

_MODELS: dict[str, tuple[Any, Any, int]] = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model, 94_371_712),
    "hubert": (HubertConfig, HubertModel, 94_371_712),
    "wavlm": (WavLMConfig, WavLMModel, 94_381_936),
    "wav2vec2-robust": (partial(Wav2Vec2Config, num_hidden_layers=24, **LARGE), Wav2Vec2Model, 315_438_720),
}


def publish(upstream: str, folder: Path) -> Path:
    """A whole model of random weights, as it is published."""
    torch.manual_seed(3)
    if upstream == "apc":
        return write(folder, Reference().state_dict())
    if upstream in SPECTRAL_UPSTREAMS:
        path = folder / "states-1000000.ckpt"
        model = s3prl_model.reference_transformer()
        assert sum(each.numel() for each in model.parameters()) == 21_327_360
        torch.save({"Transformer": model.state_dict(), "Config": s3prl_model.CONFIG}, path)
        return path
    config, kind, parameters = _MODELS[upstream]
    whole = kind(config())
    assert sum(each.numel() for each in whole.parameters()) == parameters
    whole.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_one_step_of_the_paper_preset(upstream: str, corpus: Corpus, tmp_path: Path) -> None:
    group = {"upstream": upstream}
    candidates = {each.label: each for each in NORM_LAYERS.candidates(group, PAPER)}
    candidate = candidates[f"layer{paper_layer(group)[0]}"]
    config = NormalizedSSLConfig.from_dict(
        {
            **PAPER.config,
            **group,
            **NORM_LAYERS.anchor(group, candidate, PAPER),
            **candidate.config,
            "checkpoint": str(publish(upstream, tmp_path)),
            "similarity_pairs": 1,
        }
    )
    (stage,) = config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    artifacts = MemoryArtifacts()
    run_stage(stage, corpus, artifacts)
    data = replace(PAPER.for_group(upstream).data, valid_seconds=2.0)
    assignment = Assignment(
        job=f"{upstream}/search/{candidate.label}/0001",
        config=config.to_dict(),
        seed=1,
        steps=1,
        round_steps=1,
        metric=PAPER.metric,
        corpus_uri=corpus.uri,
        corpus_fingerprint=corpus.fingerprint,
        data=data,
        stages=(stage.to_json(),),
    )
    report = TrainingSession(assignment, corpus, artifacts).run_round()
    assert report["step"] == 1
    assert {"loss_time", "loss_mstft", "similarity/site0"} <= set(report)
    assert ("loss_cirm" in report) == (upstream in SPECTRAL_UPSTREAMS)
    assert all(math.isfinite(value) for value in report.values())
