"""Adapters that learn noisy speech by themselves first."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.base.tensors import unpack
from trainables.config.registry import run_stage
from trainables.job.stages import Stage, in_order
from trainables.method import When
from trainables.normalized_ssl.adapters import Adapters
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.method import build
from trainables.ssl.bodies.spectral_body import LogMelBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.pretraining import pretraining


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "BATCH", 2)
    monkeypatch.setattr(pretraining, "CROP_SECONDS", 0.25)


def config(**values: Any) -> NormalizedSSLConfig:
    plain = {"adapters": "draft", "pretraining_steps": 2, "draft_steps": 3, "w_mstft": 0.0}
    return NormalizedSSLConfig.from_dict({**plain, **values})


def computed(chosen: NormalizedSSLConfig, corpus: Corpus, seed: int = 1) -> tuple[MemoryArtifacts, Stage, Stage]:
    body, adaptation = chosen.stages(seed, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    artifacts = MemoryArtifacts()
    for stage in in_order((adaptation,)):
        run_stage(stage, corpus, artifacts)
    return artifacts, body, adaptation


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2", "hubert"])
def test_training_begins_with_the_pretrained_body_and_adapters_that_have_learnt(upstream: str, corpus: Corpus) -> None:
    chosen = config(upstream=upstream)
    artifacts, body, adaptation = computed(chosen, corpus)
    contents = {stage.kind: artifacts.read(stage.key) for stage in (body, adaptation)}
    method = build(chosen, contents, seed=9)
    assert method.adapters is not None
    learnt = unpack(contents["adaptation"])["adapters"]
    assert all(torch.equal(learnt[name], value) for name, value in method.adapters.state_dict().items())
    assert min(method.adapters.sizes().values()) > 0.0
    stored = unpack(contents["pretraining"])["body"]  # untouched: adapters learn alone
    assert all(torch.equal(stored[name], value) for name, value in method.body.state_dict().items())
    groups = method.parameter_groups()
    assert [len(group["params"]) > 0 for group in groups] == [True, True, True]  # decoder, body, adapters
    with pytest.raises(KeyError):
        build(chosen, {"pretraining": contents["pretraining"]}, seed=9)
    fresh = build(config(upstream=upstream, adapters="both"), contents, seed=9)
    wave = 0.1 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
    for each in (method, fresh):
        each.eval().before_inference(When(step=0, epoch=0, steps=4))
    assert not torch.equal(method._walk(wave, None, None).raw[-1], fresh._walk(wave, None, None).raw[-1])


def test_it_repeats_to_the_bit_and_depends_on_what_is_trained(corpus: Corpus) -> None:
    first, again = (computed(config(), corpus) for _ in range(2))
    assert first[0].read(first[2].key) == again[0].read(again[2].key)
    assert len(unpack(first[0].read(first[2].key))["info"]["loss"]) == 3
    plain = first[2].key
    others: list[dict[str, Any]] = [{"draft_steps": 4}, {"adapter_channels": 4}, {"adapter_layers": [3]}]
    keys = [
        config(**other).stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)[1].key
        for other in others
    ]
    assert len({plain, *keys}) == 4


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2", "wavlm"])
def test_the_objectives_hear_the_body_through_its_adapters(upstream: str) -> None:
    """The ways by which pre-training reaches a body give what the walk from site to site gives."""
    body = build_body(NormalizedSSLConfig.from_dict({"upstream": upstream}).ssl, seed=0).eval()
    sites = range(1, body.sites)
    adapters = Adapters(body.channels, sites, 4)
    torch.manual_seed(0)
    for parameter in adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    wave = 0.1 * torch.randn(2, 4000)
    expected = body.start(wave)
    for site in sites:
        expected = adapters(body.advance(expected, site - 1), site)
    plain = _as_pretrained(body, wave)
    body.adapters = adapters
    torch.testing.assert_close(_as_pretrained(body, wave), expected)
    assert not torch.allclose(plain, expected)


def _as_pretrained(body: LogMelBody | WaveformBody, wave: Tensor) -> Tensor:
    if isinstance(body, LogMelBody):
        return body.encode(body.features(wave)).transpose(1, 2)
    latents = body.latents(wave)
    nothing = torch.zeros(latents.shape[:2], dtype=torch.bool)
    return body.contextualize(latents, nothing, torch.zeros(body.channels[-1])).transpose(1, 2)
