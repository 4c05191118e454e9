"""HuBERT's and WavLM's objective, and the k-means units it predicts."""

import numpy as np
import pytest
import torch
from scipy.fft import dct
from torch import nn

from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.features import log_mel
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import unpack
from trainables.config.registry import run_stage
from trainables.job.stages import in_order
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.description import SSLModel
from trainables.ssl.pretraining import speech_units, unit_prediction
from trainables.ssl.pretraining.speech_units import COEFFICIENTS, UNITS, SpeechUnits, mfcc
from trainables.ssl.pretraining.unit_prediction import UnitPrediction


def waves(batch: int = 2, samples: int = 16000) -> torch.Tensor:
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(1))


def waveform_body(upstream: str) -> WaveformBody:
    body = build_body(SSLModel(upstream=upstream), seed=0)
    assert isinstance(body, WaveformBody)
    return body


def some_units() -> SpeechUnits:
    generator = torch.Generator().manual_seed(2)
    features = mfcc(waves(8)).flatten(0, 1)
    chosen = torch.randperm(len(features), generator=generator)[:UNITS]
    mean, std = features.mean(0), features.std(0)
    return SpeechUnits(mean, std, (features[chosen] - mean) / std)


@pytest.fixture
def objective() -> UnitPrediction:
    return UnitPrediction(waveform_body("hubert"), some_units())


def test_mfccs_are_scipys_cosine_transform_of_the_log_mels() -> None:
    expected = dct(log_mel(waves()).numpy(), type=2, norm="ortho", axis=-1)[:, 1::2, :COEFFICIENTS]
    np.testing.assert_allclose(mfcc(waves())[..., :COEFFICIENTS].numpy(), expected, atol=1e-3)


def test_differences_are_central() -> None:
    cepstra = dct(log_mel(waves()).numpy(), type=2, norm="ortho", axis=-1)[..., :COEFFICIENTS]
    expected = (cepstra[:, 2:] - cepstra[:, :-2])[:, 0::2] / 2  # around mel frames 1, 3, 5 ...
    found = mfcc(waves())[..., COEFFICIENTS : 2 * COEFFICIENTS].numpy()
    np.testing.assert_allclose(found[:, : expected.shape[1]], expected, atol=1e-3)


def test_every_frame_of_the_body_has_the_nearest_centroid() -> None:
    units = some_units()
    named = units(waves(), frames=49)
    features = (mfcc(waves())[:, :49] - units.mean) / units.std
    distances = (features[:, :, None] - units.centroids).square().sum(-1)
    assert named.shape == (2, 49)
    assert torch.equal(named, distances.argmin(-1))


def test_hubert_and_wavlm_share_one_stage_of_units(corpus: Corpus) -> None:
    stages = [
        NormalizedSSLConfig.from_dict({"upstream": upstream}).stages(
            1, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint
        )
        for upstream in ("hubert", "wavlm")
    ]
    keys = [{stage.kind: stage.key for stage in in_order(each)} for each in stages]
    assert keys[0]["speech_units"] == keys[1]["speech_units"]
    assert keys[0]["pretraining"] != keys[1]["pretraining"]


def test_the_stage_clusters_the_corpus_and_repeats_to_the_bit(corpus: Corpus) -> None:
    (stage,) = NormalizedSSLConfig.from_dict({"upstream": "hubert"}).stages(
        3, corpus_uri="", corpus_fingerprint=corpus.fingerprint
    )
    artifacts = [MemoryArtifacts(), MemoryArtifacts()]
    for each in artifacts:
        run_stage(stage.rests_on[0], corpus, each)
    first, second = (each.read(stage.rests_on[0].key) for each in artifacts)
    assert first == second
    assert SpeechUnits(**unpack(first)).centroids.shape == (UNITS, 3 * COEFFICIENTS)


def test_utterances_shorter_than_a_crop_add_no_silence_to_the_units(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All last 1.5 s: crops of twice that hold the same speech, within a tenth of a deviation."""
    (stage,) = NormalizedSSLConfig.from_dict({"upstream": "hubert"}).stages(
        3, corpus_uri="", corpus_fingerprint=corpus.fingerprint
    )
    found = []
    for seconds in (1.5, 3.0):
        monkeypatch.setattr(speech_units, "CROP_SECONDS", seconds)
        units = speech_units.run(stage.rests_on[0], corpus, MemoryArtifacts(), lambda done, total: None)
        found.append(SpeechUnits(**unpack(units)))
    whole, looped = found
    assert ((whole.mean - looped.mean).abs() < 0.1 * whole.std).all()


def test_the_loss_is_cross_entropy_on_masked_frames_alone(
    objective: UnitPrediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.zeros((2, 49), dtype=bool)
    mask[:, 5:15] = True
    monkeypatch.setattr(unit_prediction, "_compute_mask_indices", lambda *_, **__: mask)
    objective.eval()
    loss, monitors = objective(waves(), step=0)
    body, chosen = objective.body, torch.from_numpy(mask)
    context = objective.project(body.contextualize(body.latents(waves()), chosen, objective.mask_embedding))
    directions = nn.functional.normalize(objective.embeddings, dim=-1)
    logits = nn.functional.normalize(context[chosen], dim=-1) @ directions.T / 0.1
    expected = nn.functional.cross_entropy(logits, objective.units(waves(), 49)[chosen])
    torch.testing.assert_close(loss, expected)
    assert monitors["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert 0 < monitors["chance"] <= 1


def test_units_are_learned(objective: UnitPrediction) -> None:
    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    losses = []
    for step in range(30):
        seed_global_generators(0, "units", step % 3)
        loss, _ = objective(waves(), step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


def test_another_waveform_can_be_named_than_is_heard() -> None:
    """As WavLM names the speech in a mixture."""
    named: list[torch.Tensor] = []
    units = some_units()
    units.register_forward_pre_hook(lambda _, inputs: named.append(inputs[0]))
    objective = UnitPrediction(waveform_body("wavlm"), units)
    losses = []
    for given in ((waves(),), (2 * waves() + 0.1, waves())):
        seed_global_generators(0, "masks")
        losses.append(objective(given[0], 0, *given[1:])[0])
    assert all(torch.equal(wave, waves()) for wave in named)
    assert not torch.equal(*losses)
