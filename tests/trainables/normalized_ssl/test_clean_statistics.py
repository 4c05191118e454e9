"""clean_stats="corpus": targets measured once on clean training speech, and no clean branch afterwards."""

import pytest
import torch

from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import Batch, training_batch
from trainables.base.errors import UserError
from trainables.config.registry import run_stage
from trainables.job.assignment import DataSettings
from trainables.job.stages import in_order
from trainables.method import When
from trainables.normalized_ssl import clean_statistics
from trainables.normalized_ssl.clean_statistics import unpack_moments
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.method import NormalizedSSL, build
from trainables.ssl.bodies.upstreams import build_body, load_artifact

SETTINGS = {"pretraining_steps": 1, "norm_layers": [2], "clean_stats": "corpus", "w_mstft": 0.0}
START = When(step=0, epoch=0, steps=10)


@pytest.fixture(autouse=True)
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean_statistics, "BATCHES", 3)


def measured(corpus: Corpus, config: NormalizedSSLConfig) -> dict[str, bytes]:
    """The artifacts of every stage that the configuration rests on, by kind."""
    store = MemoryArtifacts()
    stages = config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    for stage in in_order(stages):
        run_stage(stage, corpus, store)
    return {stage.kind: store.read(stage.key) for stage in stages}


def make(corpus: Corpus, upstream: str, **values: object) -> NormalizedSSL:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, **SETTINGS, **values})
    return build(config, measured(corpus, config), seed=1)


def batch_of(corpus: Corpus, seed: int = 5) -> Batch:
    return training_batch(corpus, DataSettings(batch=2, crop_seconds=0.5), seed, step=0)


@pytest.mark.parametrize(("upstream", "seconds"), [("tera", 2.0), ("wav2vec2", 1.0)])
def test_they_are_the_moments_of_all_clean_crops_together(corpus: Corpus, upstream: str, seconds: float) -> None:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, **SETTINGS})
    artifacts = measured(corpus, config)
    body = build_body(config.ssl, 1).eval()
    load_artifact(body, artifacts["pretraining"])
    collected: list[list[torch.Tensor]] = [[] for _ in range(body.sites)]
    for step in range(3):
        batch = training_batch(corpus, DataSettings(batch=8, crop_seconds=seconds), 1, step)
        for wave, length in zip(batch.clean, batch.lengths.tolist(), strict=True):
            leveled = wave / wave[:length].square().mean().sqrt()
            with torch.no_grad():
                walked = body(leveled[None], torch.tensor([length]))
            for site, features in enumerate(walked):
                collected[site].append(features[0, :, : body.site_frames(length, site)].double())
    found = unpack_moments(artifacts["clean_statistics"])
    assert list(found) == list(range(body.sites))
    for site in (0, 1, body.sites - 1):
        together = torch.cat(collected[site], dim=1)
        mean, deviation = found[site]
        torch.testing.assert_close(mean.double(), together.mean(dim=1), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(deviation.double(), together.std(dim=1, unbiased=False), atol=1e-4, rtol=1e-3)


def test_training_pulls_towards_them_and_needs_no_clean_branch(corpus: Corpus) -> None:
    method = make(corpus, "wav2vec2")
    assert method.normalization.clean_body is None
    method.train()
    method.training_losses(batch_of(corpus), START)
    target = method.normalization.corpus_targets["1"].get_buffer("mean")
    torch.testing.assert_close(method.normalization.running(1).clean_mean, target)


def test_the_deployed_network_reads_the_running_statistics_as_before(corpus: Corpus) -> None:
    method = make(corpus, "tera")
    method.train()
    method.training_losses(batch_of(corpus), START)
    fresh = make(corpus, "tera")
    fresh.load_state_dict(method.state_dict())
    for each in (method, fresh):
        each.eval().before_inference(START)
    noisy = batch_of(corpus, seed=6).noisy
    assert torch.equal(method.infer(noisy), fresh.infer(noisy))


def test_only_a_candidate_that_normalizes_rests_on_them(corpus: Corpus) -> None:
    def kinds(**values: object) -> list[str]:
        config = NormalizedSSLConfig.from_dict({"upstream": "tera", **SETTINGS, **values})
        return [stage.kind for stage in config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)]

    assert kinds() == ["pretraining", "clean_statistics"]
    assert kinds(norm_layers=[]) == ["pretraining"]
    assert kinds(norm_layers=[], init="random") == []
    assert kinds(clean_stats="batch") == ["pretraining"]


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(UserError, match="clean_stats='speaker' is not possible; allowed: one of batch, corpus"):
        NormalizedSSLConfig.from_dict({"clean_stats": "speaker"})
