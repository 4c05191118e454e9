"""What a body hears in pre-training, and that each objective's targets come from where they should."""

from typing import Any

import pytest
import torch

from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import speech_batch
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import unpack
from trainables.config.registry import run_stage
from trainables.job.stages import StagePlace, in_order
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.spectral_body import SpectralBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.description import PRETRAINING_INPUTS, SSLModel
from trainables.ssl.pretraining import masked_reconstruction, pretraining
from trainables.ssl.pretraining.contrastive_pretraining import ContrastivePretraining
from trainables.ssl.pretraining.inputs import heard, mix_utterances
from trainables.ssl.pretraining.masked_reconstruction import MaskedReconstruction


def draw(corpus: Corpus, kind: str, step: int = 0, batch: int = 8) -> tuple[torch.Tensor, torch.Tensor | None]:
    seed_global_generators(7, "inputs")
    return heard(kind, corpus, seed=1, step=step, batch=batch, crop_seconds=0.5, device="cpu")


def test_mixing_disturbs_a_share_of_utterances_over_at_most_half_of_each() -> None:
    torch.manual_seed(0)
    speech = 0.1 * torch.randn(200, 400)
    changed = mix_utterances(speech) != speech
    disturbed = changed.any(dim=1)
    assert 0.1 < disturbed.float().mean() < 0.3
    assert changed.sum(dim=1).max() <= 200


def test_targets_are_clean_speech_or_what_is_heard(corpus: Corpus) -> None:
    clean = speech_batch(corpus, 1, 0, 8, 0.5)
    found = {kind: draw(corpus, kind) for kind in PRETRAINING_INPUTS}
    assert torch.equal(found["clean"][0], clean)
    assert found["clean"][1] is None
    assert found["noisy"][1] is None
    for kind in ("mixing", "denoise"):
        targets = found[kind][1]
        assert targets is not None
        assert torch.equal(targets, clean)  # those of "clean", to the bit
    assert torch.equal(found["noisy"][0], found["denoise"][0])
    assert not torch.equal(found["noisy"][0], clean)


def body_of(upstream: str) -> Any:
    return build_body(SSLModel(upstream=upstream), seed=0).eval()


def test_a_spectral_body_repairs_noisy_frames_towards_clean_ones(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undamaged, the loss is the distance of the head's output for what is heard from the clean log-mels."""
    body = body_of("tera")
    assert isinstance(body, SpectralBody)
    wave, clean = draw(corpus, "denoise")
    assert clean is not None
    monkeypatch.setattr(masked_reconstruction, "damage", lambda x, time_only: (x, torch.ones_like(x)))
    objective = MaskedReconstruction(body)
    loss, _ = objective(wave, 0, clean)
    expected = (objective.head(body.encode(body.features(wave))) - body.features(clean)).abs().mean()
    torch.testing.assert_close(loss, expected)
    assert not torch.equal(loss, objective(wave, 0)[0])


def test_a_waveform_body_names_the_codes_of_clean_latents(corpus: Corpus) -> None:
    body = body_of("wav2vec2")
    assert isinstance(body, WaveformBody)
    objective = ContrastivePretraining(body).eval()
    quantized: list[torch.Tensor] = []
    objective.quantizer.register_forward_pre_hook(lambda _, inputs: quantized.append(inputs[0]))
    wave, clean = draw(corpus, "denoise", batch=2)
    for given in ((clean, 0), (wave, 0, clean), (wave, 0)):
        seed_global_generators(3, "masks")
        objective(*given)
    assert torch.equal(quantized[0], quantized[1])
    assert not torch.equal(quantized[0], quantized[2])


PLACE: StagePlace = {"corpus_uri": "/c", "corpus_fingerprint": "f"}


def body_key(**values: Any) -> str:
    return NormalizedSSLConfig.from_dict(values).stages(5, **PLACE)[0].key


@pytest.mark.parametrize(("upstream", "own"), [("tera", "clean"), ("hubert", "clean"), ("wavlm", "mixing")])
def test_an_input_has_a_key_of_its_own_but_for_the_upstreams_own(upstream: str, own: str) -> None:
    plain = body_key(upstream=upstream)
    keys = {kind: body_key(upstream=upstream, pretraining_input=kind) for kind in PRETRAINING_INPUTS}
    assert [kind for kind, key in keys.items() if key == plain] == [own]
    assert len(set(keys.values())) == len(PRETRAINING_INPUTS)
    written = NormalizedSSLConfig.from_dict({"upstream": upstream, "pretraining_input": own})
    assert written == NormalizedSSLConfig.from_dict({"upstream": upstream})


@pytest.mark.parametrize("upstream", ["tera", "wav2vec2", "hubert"])
def test_each_input_trains_another_body_and_repeats_to_the_bit(
    upstream: str, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretraining, "BATCH", 2)
    monkeypatch.setattr(pretraining, "CROP_SECONDS", 0.25)
    artifacts, found = MemoryArtifacts(), {}
    for kind in PRETRAINING_INPUTS:
        config = NormalizedSSLConfig.from_dict(
            {"upstream": upstream, "pretraining_steps": 2, "pretraining_input": kind}
        )
        (body,) = config.stages(1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
        for stage in in_order((body,)):
            run_stage(stage, corpus, artifacts)
        found[kind] = artifacts.read(body.key)
        assert all(torch.isfinite(torch.tensor(curve)).all() for curve in unpack(found[kind])["info"].values())
        if kind in ("noisy", "denoise"):
            assert pretraining.run(body, corpus, artifacts, lambda done, total: None) == found[kind]
    # Two steps of two crops: WavLM's mixing may have disturbed none of them.
    assert len({found[kind] for kind in ("clean", "noisy", "denoise")}) == 3
