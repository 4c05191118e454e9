"""The bodies: published parameter counts, equivalence with reference modules, and the walk over sites."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from trainables.audio import features as audio
from trainables.base.padding import valid_mask
from trainables.base.tensors import unpack
from trainables.networks.positions import sinusoidal_positions
from trainables.normalized_ssl.config import UPSTREAMS, NormalizedSSLConfig
from trainables.normalized_ssl.decoders import build_decoder
from trainables.normalized_ssl.method import NormalizedSSL
from trainables.ssl.bodies import spectral_body as spectral_body_module
from trainables.ssl.bodies.body import valid_frames
from trainables.ssl.bodies.recurrent_body import RecurrentBody
from trainables.ssl.bodies.spectral_body import (
    SpectralArchitecture,
    SpectralBody,
    TransformerStep,
)
from trainables.ssl.bodies.upstreams import (
    build_body,
    load_artifact,
    pack_body,
)
from trainables.ssl.bodies.waveform_body import (
    WaveformArchitecture,
    WaveformBody,
    transformers_config,
    transformers_model,
)

SMALL_WAVEFORM = WaveformArchitecture(
    channels=(8,) * 6 + (12,), hidden=16, heads=2, feed_forward=32, position_kernel=16, position_groups=4
)
SMALL_WAVLM = replace(SMALL_WAVEFORM, relative_bias=True)
SMALL_PRE_NORM = replace(SMALL_WAVEFORM, pre_norm=True)


def config(**values: Any) -> NormalizedSSLConfig:
    return NormalizedSSLConfig.from_dict({"init": "random", **values})


def spectral_body(seed: int = 0, **values: Any) -> SpectralBody:
    body = build_body(config(**values).ssl, seed)
    assert isinstance(body, SpectralBody)
    return body


def waves(batch: int = 2, samples: int = 8000) -> torch.Tensor:
    return torch.randn(batch, samples, generator=torch.Generator().manual_seed(1))


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("upstream", "published"),
    [
        ("mockingjay", 21_327_360),
        ("tera", 21_327_360),
        ("wav2vec2", 16_404_352),
        ("hubert", 16_404_352),
        ("wavlm", 16_408_724),
        ("apc", 4_064_256),
        ("wav2vec2-robust", 25_724_544 - 2 * 1024),  # without the norm above the 24 layers
    ],
)
def test_the_base_body_has_the_published_number_of_parameters(upstream: str, published: int) -> None:
    assert parameters(build_body(config(upstream=upstream, size="base").ssl, seed=0)) == published


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_every_site_has_its_channels_and_frames(upstream: str) -> None:
    body = build_body(config(upstream=upstream).ssl, seed=0)
    for site, features in enumerate(body(waves())):
        assert features.shape == (2, body.channels[site], body.site_frames(8000, site))


def test_waveform_frames_are_those_of_the_paper() -> None:
    body = WaveformBody(SMALL_WAVEFORM)
    assert [body.site_frames(16000, site) for site in range(1, 8)] == [3199, 1599, 799, 399, 199, 99, 49]
    assert [body.site_frames(32000, site) for site in range(8, 10)] == [99, 99]


@pytest.mark.parametrize("architecture", [SMALL_WAVEFORM, SMALL_WAVLM])
def test_walking_equals_the_model_of_transformers(architecture: WaveformArchitecture) -> None:
    torch.manual_seed(0)
    body = WaveformBody(architecture).eval()
    torch.manual_seed(0)
    model = transformers_model(architecture).eval()
    walked = body(waves())
    reference = model(waves(), output_hidden_states=True)
    convolved = model.feature_extractor(waves())
    projected = model.feature_projection(convolved.transpose(1, 2))[0].transpose(1, 2)
    torch.testing.assert_close(walked[7], convolved, atol=1e-5, rtol=0)
    torch.testing.assert_close(walked[8], projected, atol=1e-5, rtol=0)
    torch.testing.assert_close(walked[9], reference.last_hidden_state.transpose(1, 2), atol=1e-5, rtol=0)


def test_a_pre_norm_body_equals_the_model_of_transformers_at_every_site() -> None:
    """Its layer's own output: the model's last norm belongs to the output of all layers."""
    torch.manual_seed(0)
    model = transformers_model(SMALL_PRE_NORM).eval().double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    body = WaveformBody(SMALL_PRE_NORM).eval().double()
    body.steps[:7].load_state_dict(model.feature_extractor.conv_layers.state_dict())
    body.get_submodule("steps.7.projection").load_state_dict(model.feature_projection.state_dict())
    encoder = {name: value for name, value in model.encoder.state_dict().items() if not name.startswith("layer_norm.")}
    body.get_submodule("steps.8.encoder").load_state_dict(encoder)
    wave = 0.01 * waves().double() + 0.3
    standardised = Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm(list(wave.numpy()), list(np.ones(wave.shape)))
    read = torch.stack([torch.from_numpy(each) for each in standardised])
    seen = []
    for layer in (*model.feature_extractor.conv_layers, model.feature_projection, model.encoder.layers[0]):
        layer.register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.no_grad():
        model(read)
        walked = body(wave)
    assert len(seen) == 9
    torch.testing.assert_close(walked[0][:, 0], read, atol=1e-5, rtol=0)
    for site, output in enumerate(seen, start=1):
        expected = output[0] if isinstance(output, tuple) else output
        expected = expected if site < 8 else expected.transpose(1, 2)
        torch.testing.assert_close(walked[site], expected, atol=1e-5, rtol=0)


def test_hubert_is_the_architecture_of_wav2vec2() -> None:
    """The body of HuBERT is made of wav2vec 2.0's modules; HubertModel with the same weights agrees."""
    settings = transformers_config(SMALL_WAVEFORM).to_dict()
    settings.pop("model_type")
    model = HubertModel(HubertConfig(**settings)).eval()
    body = WaveformBody(SMALL_WAVEFORM).eval()
    body.steps[:7].load_state_dict(model.feature_extractor.conv_layers.state_dict())
    body.get_submodule("steps.7.projection").load_state_dict(model.feature_projection.state_dict())
    body.get_submodule("steps.8.encoder").load_state_dict(model.encoder.state_dict())
    reference = model(waves()).last_hidden_state.transpose(1, 2)
    torch.testing.assert_close(body(waves())[9], reference, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", [SMALL_WAVEFORM, SMALL_WAVLM])
def test_masking_reaches_the_transformer_of_transformers(architecture: WaveformArchitecture) -> None:
    """`contextualize` with a mask equals the model given the same time indices."""
    settings = transformers_config(architecture)
    settings.apply_spec_augment, settings.mask_time_prob = True, 0.5
    torch.manual_seed(0)
    model: Wav2Vec2Model | WavLMModel = (
        WavLMModel(settings) if isinstance(settings, WavLMConfig) else Wav2Vec2Model(settings)
    )
    model.eval()
    body = WaveformBody(architecture).eval()
    body.steps[:7].load_state_dict(model.feature_extractor.conv_layers.state_dict())
    body.get_submodule("steps.7.projection").load_state_dict(model.feature_projection.state_dict())
    body.get_submodule("steps.8.encoder").load_state_dict(model.encoder.state_dict())
    mask = torch.zeros(2, body.site_frames(8000, 7), dtype=torch.bool)
    mask[:, 3:9] = True
    ours = body.contextualize(body.latents(waves()), mask, model.masked_spec_embed)
    reference = model(waves(), mask_time_indices=mask).last_hidden_state
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=0)


def test_nothing_in_a_waveform_body_masks_or_skips_at_random() -> None:
    settings = transformers_config(SMALL_WAVEFORM)
    assert not settings.apply_spec_augment
    assert settings.mask_time_prob == settings.mask_feature_prob == settings.layerdrop == 0
    assert settings.feat_proj_dropout == settings.activation_dropout == 0


def test_gradient_reaches_the_first_convolution_unscaled() -> None:
    body = WaveformBody(SMALL_WAVEFORM).eval()
    body(waves())[1].sum().backward()
    gradient = next(body.steps[0].parameters()).grad
    reference = torch.nn.functional.gelu
    conv, norm = body.get_submodule("steps.0.conv"), body.get_submodule("steps.0.layer_norm")
    (expected,) = torch.autograd.grad(reference(norm(conv(waves()[:, None]))).sum(), conv.get_parameter("weight"))
    torch.testing.assert_close(gradient, expected)


def test_a_transformer_step_is_torchs_post_norm_layer() -> None:
    torch.manual_seed(0)
    architecture = SpectralArchitecture(hidden=24, heads=3, feed_forward=40, dropout=0.0)
    ours = TransformerStep(architecture)
    reference = nn.TransformerEncoderLayer(
        24, 3, 40, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    reference.load_state_dict(
        {
            "self_attn.in_proj_weight": torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]),
            "self_attn.in_proj_bias": torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]),
            "self_attn.out_proj.weight": ours.attention_output.weight,
            "self_attn.out_proj.bias": ours.attention_output.bias,
            "linear1.weight": ours.expand.weight,
            "linear1.bias": ours.expand.bias,
            "linear2.weight": ours.contract.weight,
            "linear2.bias": ours.contract.bias,
            "norm1.weight": ours.attention_norm.weight,
            "norm1.bias": ours.attention_norm.bias,
            "norm2.weight": ours.output_norm.weight,
            "norm2.bias": ours.output_norm.bias,
        }
    )
    x = torch.randn(2, 24, 30)
    expected = reference(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=0)


def test_positions_interleave_sine_and_cosine() -> None:
    table = sinusoidal_positions(50, 12).double()
    for position, column in ((7, 0), (7, 1), (31, 6), (49, 11)):
        angle = torch.tensor(position / 10000 ** ((column // 2 * 2) / 12), dtype=torch.float64)
        expected = angle.cos() if column % 2 else angle.sin()
        assert table[position, column] == pytest.approx(float(expected), abs=1e-5)


def test_the_spectral_body_is_initialised_as_bert_is() -> None:
    body = spectral_body(size="base")
    weight = body.get_parameter("steps.1.expand.weight")
    assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert not body.get_parameter("steps.1.expand.bias").any()


def test_encoding_features_is_the_end_of_the_walk() -> None:
    body = spectral_body().eval()
    torch.testing.assert_close(body.encode(body.features(waves())), body(waves())[-1].transpose(1, 2))


def test_site_0_of_a_spectral_body_comes_before_dropout() -> None:
    body = SpectralBody(SpectralArchitecture(hidden=16, heads=2, feed_forward=16, dropout=0.5)).train()
    assert torch.equal(body.start(waves()), body.start(waves()))
    assert not torch.equal(body(waves())[1], body(waves())[1])


def test_corpus_cmvn_uses_the_statistics_of_speech() -> None:
    body = spectral_body(cmvn="corpus")
    body.entry.feature_mean.fill_(-2.0)
    body.entry.feature_std.fill_(4.0)
    expected = (audio.log_mel(waves()) + 2.0) / 4.0
    torch.testing.assert_close(body.features(waves()), expected)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_weights_depend_on_the_seed_alone(upstream: str) -> None:
    one, same, other = (build_body(config(upstream=upstream).ssl, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_an_artifact_gives_the_body_back(upstream: str) -> None:
    trained = build_body(config(upstream=upstream).ssl, seed=1)
    artifact = pack_body(trained, curve=[1.0, 0.5])
    assert unpack(artifact)["curve"] == [1.0, 0.5]
    fresh = build_body(config(upstream=upstream).ssl, seed=2)
    load_artifact(fresh, artifact)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), fresh.parameters(), strict=True))


def test_an_untrained_body_takes_only_the_statistics_of_speech() -> None:
    trained = spectral_body(seed=1, cmvn="corpus")
    trained.entry.feature_mean.fill_(-5.0)
    fresh, untouched = (spectral_body(seed=2, cmvn="corpus") for _ in range(2))
    load_artifact(fresh, pack_body(trained), statistics_alone=True)
    assert (fresh.entry.feature_mean == -5.0).all()
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), untouched.parameters(), strict=True))


def test_a_decoder_does_not_depend_on_the_bodys_weights() -> None:
    settings = config(upstream="wav2vec2")
    decoders = [build_decoder(settings, build_body(settings.ssl, seed), seed=9) for seed in (1, 2)]
    first, second = (decoder.state_dict() for decoder in decoders)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_frozen_prefix_holds_only_what_leads_to_its_site(upstream: str) -> None:
    body = build_body(config(upstream=upstream).ssl, seed=0).train()
    prefix = body.frozen_prefix(1)
    assert prefix.sites == 2
    assert len(prefix.steps) == 1
    assert not prefix.training
    assert body.training
    assert not any(parameter.requires_grad for parameter in prefix.parameters())
    assert all(parameter.requires_grad for parameter in body.parameters())
    torch.testing.assert_close(prefix(waves())[1], body.eval()(waves())[1])


def test_the_clean_branch_of_waveform_layer_2_is_one_convolution() -> None:
    body = build_body(config(upstream="wav2vec2", size="base").ssl, seed=0)
    assert parameters(body.frozen_prefix(1)) == 6_144


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_an_utterance_in_a_padded_batch_is_what_it_is_alone(upstream: str) -> None:
    """Features at every site and the decoder's estimate."""
    settings = config(upstream=upstream)
    body = build_body(settings.ssl, seed=1).eval()
    decoder = build_decoder(settings, body, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    for parameter in decoder.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    method = NormalizedSSL(settings, body, decoder).eval()
    lengths = (8000, 5013, 3200, 640)
    batch = waves(4) * valid_mask(waves(4), torch.tensor(lengths))
    together = body(batch, torch.tensor(lengths))
    with torch.no_grad():
        estimates = method._enhance(batch, lengths=torch.tensor(lengths)).wave
        for item, samples in enumerate(lengths):
            wave = batch[item : item + 1, :samples]
            for site, alone in enumerate(body(wave)):
                frames = alone.shape[-1]
                torch.testing.assert_close(together[site][item, :, :frames], alone[0], atol=2e-5, rtol=1e-4)
            found = estimates[item, :samples]
            torch.testing.assert_close(found, method._enhance(wave).wave[0], atol=1e-5, rtol=1e-4)


def test_pieces_of_a_padded_batch_are_those_of_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 frames stand for the 1500 that go through at once."""
    monkeypatch.setattr(spectral_body_module, "LONGEST", 20)
    body, lengths = spectral_body().eval(), (8000, 5013, 3200, 640)
    batch = waves(4) * valid_mask(waves(4), torch.tensor(lengths))
    with torch.no_grad():
        together = body(batch, torch.tensor(lengths))
        for item, samples in enumerate(lengths):
            for site, alone in enumerate(body(batch[item : item + 1, :samples])):
                found = together[site][item, :, : alone.shape[-1]]
                torch.testing.assert_close(found, alone[0], atol=2e-5, rtol=1e-4)


def test_frames_of_padding_are_invalid() -> None:
    body = WaveformBody(SMALL_WAVEFORM)
    features = body(waves(samples=16000))
    mask = valid_frames(body, torch.tensor([16000, 8000]), 3, features[3])
    assert mask.sum(dim=(1, 2)).tolist() == [799, body.site_frames(8000, 3)]


# -- APC ---------------------------------------------------------------------------------------------------


def recurrent_body(seed: int = 0, **values: Any) -> RecurrentBody:
    body = build_body(config(upstream="apc", **values).ssl, seed).eval()
    assert isinstance(body, RecurrentBody)
    return body


def test_no_layer_of_apc_sees_a_later_frame() -> None:
    """Changed features leave all earlier frames of every site as they are, to the bit."""
    body = recurrent_body()
    features = body.features(waves())
    changed = features.clone()
    changed[:, 20:] += 1.0
    x, y = body.entry.embed(features), body.entry.embed(changed)
    for site in range(body.sites):
        assert torch.equal(x[..., :20], y[..., :20])
        assert not torch.equal(x[..., 20:], y[..., 20:])
        if site < body.sites - 1:
            x, y = body.advance(x, site), body.advance(y, site)


def test_with_a_corpus_statistics_apc_hears_no_more_than_half_a_window_ahead() -> None:
    body = recurrent_body(cmvn="corpus")
    wave, changed = waves(), waves()
    changed[:, 4000:] = 0.0
    last = (4000 - 200) // 160  # the last frame whose window ends by sample 4000
    for one, other in zip(body(wave), body(changed), strict=True):
        assert torch.equal(one[..., : last + 1], other[..., : last + 1])
        assert not torch.equal(one[..., last + 1], other[..., last + 1])


def test_the_first_layer_of_apc_has_no_residual_and_the_others_have() -> None:
    body = recurrent_body()
    for parameter in body.parameters():
        parameter.data.zero_()  # a GRU of zeros puts out zeros
    walked = body(waves())
    assert (walked[1] == 0).all()
    walked[1].fill_(3.0)
    assert (body.advance(walked[1], 1) == 3.0).all()
