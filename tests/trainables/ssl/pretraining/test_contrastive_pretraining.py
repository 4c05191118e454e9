from typing import Any, cast

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2GumbelVectorQuantizer

from trainables.base.randomness import seed_global_generators
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import (
    CONVOLUTIONS,
    EncoderStep,
    ProjectionStep,
    WaveformBody,
    transformers_config,
)
from trainables.ssl.description import SSLModel
from trainables.ssl.pretraining import contrastive_pretraining
from trainables.ssl.pretraining.contrastive_pretraining import (
    CODE_DIM,
    CODEBOOKS,
    CODES,
    DISTRACTORS,
    DIVERSITY_WEIGHT,
    SIMILARITY_TEMPERATURE,
    ContrastivePretraining,
    Quantizer,
    masks_and_distractors,
    similarities,
)


@pytest.fixture
def objective() -> ContrastivePretraining:
    body = build_body(SSLModel(upstream="wav2vec2"), seed=0)
    assert isinstance(body, WaveformBody)
    return ContrastivePretraining(body)


def test_distractors_are_other_masked_frames_of_the_same_utterance() -> None:
    np.random.seed(0)
    mask, distractors = masks_and_distractors(torch.zeros(4, 49, 1))
    flat = mask.flatten().nonzero()[:, 0]
    assert distractors.shape == (len(flat), DISTRACTORS)
    assert mask.flatten()[distractors.long()].all()
    assert (distractors // 49 == flat[:, None] // 49).all()
    assert (distractors != flat[:, None]).all()


def test_codes_and_their_gradients_are_those_of_transformers(objective: ContrastivePretraining) -> None:
    ours = objective.quantizer
    mask = torch.rand(3, 49) < 0.5
    latents = torch.randn(3, 49, ours.weight_proj.in_features)
    found = []
    for forward in (Quantizer.forward, Wav2Vec2GumbelVectorQuantizer.forward):
        torch.manual_seed(5)
        ours.zero_grad()
        given = latents.clone().requires_grad_()
        codes, perplexity = forward(ours, given, mask)
        (codes.square().sum() + perplexity).backward()
        assert given.grad is not None
        assert ours.codevectors.grad is not None
        found.append((codes, perplexity, given.grad, ours.codevectors.grad.clone()))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_about_half_of_a_short_crop_is_masked() -> None:
    np.random.seed(0)
    mask, _ = masks_and_distractors(torch.zeros(64, 49, 1))
    assert 0.4 < mask.float().mean().item() < 0.6


def test_a_distractor_equal_to_the_true_code_does_not_count() -> None:
    codes = torch.eye(3)[None]
    mask = torch.tensor([[True, False, False]])
    logits = similarities(torch.eye(3)[:1], codes, mask, torch.tensor([[1, 0]]))
    torch.testing.assert_close(logits, torch.tensor([[1 / SIMILARITY_TEMPERATURE, 0.0, -torch.inf]]))


def test_agrees_with_transformers_own_pretraining_loss(objective: ContrastivePretraining) -> None:
    """The same weights in `Wav2Vec2ForPreTraining`, in evaluation mode, where quantizing draws nothing."""
    theirs = transplanted(objective).eval()
    speech = 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    objective.eval()
    seed_global_generators(3, "masks")
    loss, monitors = objective(speech, step=0)
    seed_global_generators(3, "masks")
    mask, distractors = masks_and_distractors(objective.body.latents(speech))
    negatives = torch.zeros(*mask.shape, DISTRACTORS, dtype=torch.long)
    negatives[mask] = distractors.long()
    expected = theirs(speech, mask_time_indices=mask, sampled_negative_indices=negatives)
    torch.testing.assert_close(loss, expected.loss / mask.sum())
    assert monitors["loss"] == pytest.approx((expected.contrastive_loss / mask.sum()).item(), rel=1e-5)
    assert 1 / (1 + DISTRACTORS) <= monitors["chance"] < 1
    assert monitors["perplexity"] * CODEBOOKS == pytest.approx(expected.codevector_perplexity.item(), rel=1e-5)


def transplanted(objective: ContrastivePretraining) -> Wav2Vec2ForPreTraining:
    body = objective.body
    config = transformers_config(body.architecture)
    assert isinstance(config, Wav2Vec2Config)
    config.update(
        {
            "apply_spec_augment": True,
            "num_codevector_groups": CODEBOOKS,
            "num_codevectors_per_group": CODES,
            "codevector_dim": CODE_DIM,
            "proj_codevector_dim": CODE_DIM,
            "contrastive_logits_temperature": SIMILARITY_TEMPERATURE,
            "diversity_loss_weight": DIVERSITY_WEIGHT,
            "feat_quantizer_dropout": 0.0,
        }
    )
    model = Wav2Vec2ForPreTraining(config)
    wav2vec2: Any = model.wav2vec2  # its parts are replaced by the body's, of other declared classes
    wav2vec2.feature_extractor.conv_layers = torch.nn.ModuleList(body.steps[:CONVOLUTIONS])
    wav2vec2.feature_projection = cast(ProjectionStep, body.steps[CONVOLUTIONS]).projection
    wav2vec2.encoder = cast(EncoderStep, body.steps[CONVOLUTIONS + 1]).encoder
    wav2vec2.masked_spec_embed = objective.mask_embedding
    model.quantizer = objective.quantizer
    model.project_hid = objective.project_context
    model.project_q = objective.project_code
    return model


def test_gumbel_temperature_falls_with_the_step_alone(
    objective: ContrastivePretraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrastive_pretraining, "SPAN", 2)
    found = []
    for step in (0, 100, 10_000):
        objective(torch.randn(1, 6400), step)
        found.append(objective.quantizer.temperature)
    assert found == [2.0, pytest.approx(2 * 0.995**100), 0.5]
