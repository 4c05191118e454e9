"""Models of `transformers`: every field of config.json that shapes do not show is compared, and none is passed over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    HubertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    UniSpeechConfig,
    UniSpeechSatConfig,
    UniSpeechSatForPreTraining,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForPreTraining,
    Wav2Vec2Model,
    WavLMConfig,
)

from trainables.base.errors import UserError
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.published_weights.reading import load_weights
from trainables.ssl.published_weights.transformers_files import waveform_name

CONFIGS: dict[str, type[PreTrainedConfig]] = {"wav2vec2": Wav2Vec2Config, "hubert": HubertConfig, "wavlm": WavLMConfig}


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def upstream(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def body(upstream: str) -> WaveformBody:
    return body_of(upstream)


def body_of(upstream: str) -> WaveformBody:
    config = NormalizedSSLConfig.from_dict({"upstream": upstream, "size": "base", "init": "random"})
    body = build_body(config.ssl, 0)
    assert isinstance(body, WaveformBody)
    return body


def write(folder: Path, config: dict[str, Any], state: dict[str, Any] | None = None, **preprocessor: Any) -> Path:
    torch.save(state or {}, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(config))
    if preprocessor:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def refusal(body: WaveformBody, upstream: str, folder: Path) -> str:
    with pytest.raises(UserError) as found:
        load_weights(body, upstream, folder)
    message = str(found.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


OTHER = {
    "hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 2048, "hidden_act": "relu",
    "layer_norm_eps": 1e-12, "conv_dim": [256] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 3],
    "conv_stride": [5, 2, 2, 2, 2, 2, 1], "conv_bias": True, "feat_extract_norm": "layer",
    "feat_extract_activation": "relu", "num_feat_extract_layers": 6, "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 64, "num_conv_pos_embedding_groups": 8, "conv_pos_batch_norm": True,
    "feat_proj_layer_norm": False, "adapter_attn_dim": 16, "pruned_heads": {"0": [1]},
    "quantization_config": {"load_in_8bit": True}, "a_field_of_tomorrow": 1,
}  # fmt: skip
RELATIVE_BIAS = {"num_buckets": 160, "max_bucket_distance": 400}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_that_differs_is_refused_by_name(
    name: str, body: WaveformBody, upstream: str, tmp_path: Path
) -> None:
    settings = {**CONFIGS[upstream]().to_dict(), name: OTHER[name]}
    assert f"{name}={OTHER[name]!r}"[:60] in refusal(body, upstream, write(tmp_path, settings))


@pytest.mark.parametrize("name", RELATIVE_BIAS)
def test_wavlms_relative_bias(name: str, tmp_path: Path) -> None:
    settings = {**WavLMConfig().to_dict(), name: RELATIVE_BIAS[name]}
    assert f"{name}={RELATIVE_BIAS[name]}" in refusal(body_of("wavlm"), "wavlm", write(tmp_path, settings))


# The hub's files of 2021 have these next to what transformers writes today.
OLD = {
    "_name_or_path": "x", "feat_extract_dropout": 0.0, "freeze_feat_extract_train": True, "hidden_dropout_prob": 0.1,
    "gradient_checkpointing": False, "mask_channel_length": 10, "mask_channel_min_space": 1, "mask_channel_other": 0.0,
    "mask_channel_prob": 0.0, "mask_channel_selection": "static", "mask_time_min_space": 1, "mask_time_other": 0.0,
    "mask_time_selection": "static", "no_mask_channel_overlap": False, "no_mask_time_overlap": False,
    "replace_prob": 0.5, "tokenizer_class": "Wav2Vec2CTCTokenizer", "torch_dtype": "float32",
}  # fmt: skip


def test_what_says_nothing_of_the_body_is_passed_over(body: WaveformBody, upstream: str, tmp_path: Path) -> None:
    whole = {**OLD, **CONFIGS[upstream]().to_dict()}
    for settings in (whole, {"model_type": upstream}, {**whole, "num_hidden_layers": 24, "attention_dropout": 0.5}):
        assert "lacks" in refusal(body, upstream, write(tmp_path, settings))  # the file has no tensors


@pytest.mark.parametrize("kind", [UniSpeechConfig, UniSpeechSatConfig, HubertConfig])
def test_relatives_of_wav2vec2_are_taken(kind: type[PreTrainedConfig], tmp_path: Path) -> None:
    assert "lacks" in refusal(body_of("wav2vec2"), "wav2vec2", write(tmp_path, kind().to_dict()))


def test_the_audio_it_was_trained_on(tmp_path: Path) -> None:
    body, settings = body_of("wav2vec2"), {"model_type": "wav2vec2"}
    usual: dict[str, Any] = {"do_normalize": True, "feature_size": 1, "padding_side": "right", "padding_value": 0.0}
    for stated, expected in (
        ({"sampling_rate": 16000}, "lacks"),
        ({"sampling_rate": 8000}, "sampling_rate=8000, here 16000"),
        ({"sampling_rate": 16000, "feature_size": 80}, "feature_size=80, here 1"),
        ({"sampling_rate": 16000, "num_mel_bins": 80}, "num_mel_bins=80 is not known"),
    ):
        folder = write(tmp_path, settings, **{**usual, "feature_extractor_type": "Wav2Vec2FeatureExtractor", **stated})
        assert expected in refusal(body, "wav2vec2", folder)


def test_tensors_that_the_body_has_no_place_for_are_refused(tmp_path: Path) -> None:
    body = body_of("wav2vec2")
    state = {waveform_name(name): value for name, value in body.state_dict().items()}
    above = {"encoder.layers.1.attention.k_proj.weight": torch.ones(1), "lm_head.weight": torch.ones(1)}
    load_weights(body, "wav2vec2", write(tmp_path, {"model_type": "wav2vec2"}, {**state, **above}))
    for extra in ("feature_extractor.conv_layers.1.layer_norm.weight", "encoder.layers.0.adapter_layer.norm.weight"):
        folder = write(tmp_path, {"model_type": "wav2vec2"}, {**state, extra: torch.ones(1)})
        assert extra in refusal(body, "wav2vec2", folder)


def test_other_formats_are_named(tmp_path: Path) -> None:
    body = body_of("wavlm")
    folder = write(tmp_path, {"model_type": "wavlm"}, {"cfg": {"encoder_layers": 12}, "model": {}})
    assert "format of transformers" in refusal(body, "wavlm", folder)
    first = "feature_extractor.conv_layers.0.conv.weight"
    folder = write(tmp_path, {"model_type": "wavlm"}, {f"{name}.{first}": torch.ones(1) for name in ("a", "b")})
    assert "holds 2 models" in refusal(body, "wavlm", folder)


WAVE = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("kind", "config", "within"),
    [
        (UniSpeechSatForPreTraining, UniSpeechSatConfig, "unispeech_sat"),  # microsoft/unispeech-sat-base
        (Wav2Vec2ForPreTraining, Wav2Vec2Config, "wav2vec2"),  # facebook/wav2vec2-base-100k-voxpopuli
    ],
)
def test_models_trained_on_noisy_speech_are_read_from_files_of_their_form(
    kind: type[PreTrainedModel], config: Callable[..., PreTrainedConfig], within: str, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    model = kind(config(num_hidden_layers=1)).eval()
    model.save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor(do_normalize=within == "wav2vec2").save_pretrained(tmp_path)
    body = body_of("wav2vec2").eval()
    load_weights(body, "wav2vec2", tmp_path)
    with torch.no_grad():
        expected = getattr(model, within)(WAVE).last_hidden_state
        torch.testing.assert_close(body(WAVE)[9].transpose(1, 2), expected, atol=1e-5, rtol=0)


# facebook/wav2vec2-large-robust's config.json, as far as it differs from the base model's.
LARGE: dict[str, Any] = {
    "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "conv_bias": True,
    "feat_extract_norm": "layer", "do_stable_layer_norm": True,
}  # fmt: skip


def test_a_large_pre_norm_model_is_cut_to_its_first_layer(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = Wav2Vec2Model(Wav2Vec2Config(num_hidden_layers=1, apply_spec_augment=False, **LARGE)).eval()
    assert sum(each.numel() for each in model.parameters()) == 25_724_544 + 1024  # and the mask's embedding
    model.save_pretrained(tmp_path)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    extractor.save_pretrained(tmp_path)
    body = body_of("wav2vec2-robust").eval()
    load_weights(body, "wav2vec2-robust", tmp_path)
    read = extractor(WAVE[0].numpy(), sampling_rate=16000, return_tensors="pt").input_values
    with torch.no_grad():
        torch.testing.assert_close(
            model.encoder.layer_norm(body(WAVE)[9].transpose(1, 2)), model(read).last_hidden_state, atol=1e-5, rtol=0
        )
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    assert "do_normalize=False, here True" in refusal(body, "wav2vec2-robust", tmp_path)


def test_a_large_model_that_is_otherwise_is_refused_by_name(tmp_path: Path) -> None:
    body = body_of("wav2vec2-robust")
    for name in LARGE:
        settings = {**Wav2Vec2Config(**LARGE).to_dict(), name: getattr(Wav2Vec2Config(), name)}
        assert f"{name}=" in refusal(body, "wav2vec2-robust", write(tmp_path, settings))
