"""The frozen reference: the features of `transformers`, gradients in its input alone, short clips and padding."""

from pathlib import Path

import pytest
import torch
from transformers import HubertConfig, HubertModel

from tests.trainables.position_invariant.support import artifacts, config, noise, reference, voices
from trainables.base.errors import UserError
from trainables.config.registry import check_weights
from trainables.position_invariant.config import UPSTREAMS
from trainables.position_invariant.reference import Reference, frame_counts, level_gain
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformBody, transformers_model
from trainables.ssl.description import SSLModel
from trainables.ssl.published_weights.reading import load_weights


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_features_are_the_hidden_states_of_transformers(upstream: str) -> None:
    body = build_body(config(upstream=upstream).ssl, 5)
    assert isinstance(body, WaveformBody)
    model = transformers_model(body.architecture).eval()
    state = {}
    for name, value in body.state_dict().items():
        _, step, rest = name.split(".", 2)
        inner = f"feature_extractor.conv_layers.{step}.{rest}" if int(step) < 7 else rest
        state[inner.replace("projection.", "feature_projection.", 1) if int(step) == 7 else inner] = value
    model.load_state_dict(state, strict=False)
    with torch.no_grad():
        expected = model(voices(), output_hidden_states=True).hidden_states
    for layer in (1, 2, 3):
        found = reference(upstream=upstream, layers=[layer], variant="mse").features(voices())
        torch.testing.assert_close(found, expected[layer], atol=1e-5, rtol=1e-4)


def test_layers_of_a_whole_published_model_are_taken_to_any_depth(tmp_path: Path) -> None:
    """Narrow in none of its parts, so with few layers; the deepest that is asked for counts."""
    model = HubertModel(HubertConfig(num_hidden_layers=3, apply_spec_augment=False)).eval()
    model.save_pretrained(tmp_path)
    body = build_body(SSLModel(upstream="hubert", size="base", layers=2), 0)
    assert isinstance(body, WaveformBody)
    load_weights(body, "hubert", tmp_path)
    wave = voices(1, 4000)
    with torch.no_grad():
        expected = model(wave, output_hidden_states=True).hidden_states
        for layer, found in enumerate(body.eval().transformer_outputs(wave), start=1):
            torch.testing.assert_close(found.transpose(1, 2), expected[layer], atol=1e-4, rtol=1e-3)


def test_a_model_with_fewer_layers_or_none_at_all_is_refused(tmp_path: Path) -> None:
    HubertModel(HubertConfig(num_hidden_layers=1)).save_pretrained(tmp_path / "shallow")
    (tmp_path / "empty").mkdir()
    for name in ("shallow", "empty"):
        settings = config(size="base", checkpoint=str(tmp_path / name))
        with pytest.raises(UserError, match=str(tmp_path / name)):
            check_weights(settings.stages(1, corpus_uri="", corpus_fingerprint="")[1])


def test_only_the_input_has_a_gradient_and_dropout_is_off() -> None:
    frozen = reference()
    assert not frozen.body.training
    assert not any(parameter.requires_grad for parameter in frozen.body.parameters())
    wave = voices().requires_grad_()
    frozen.features(wave).square().sum().backward()
    assert wave.grad is not None
    assert wave.grad.abs().sum() > 0


def test_several_layers_have_the_mean_of_their_distances() -> None:
    one, two = voices(seed=1), voices(seed=2)

    def distance(layers: list[int], l2norm: bool = False) -> torch.Tensor:
        frozen = reference(layers=layers, variant="mse")
        return (frozen.features(one, l2norm=l2norm) - frozen.features(two, l2norm=l2norm)).square().sum(-1).mean()

    for l2norm in (False, True):
        mean = torch.stack([distance([layer], l2norm) for layer in (1, 2, 3)]).mean()
        torch.testing.assert_close(distance([1, 2, 3], l2norm), mean)
    unit = reference(layers=[1, 3], variant="mse").features(one, l2norm=True)
    torch.testing.assert_close(unit.norm(dim=-1), torch.ones(unit.shape[:2]))


def test_a_clip_shorter_than_a_frame_has_one() -> None:
    frozen = reference()
    assert frozen.features(noise(2, 399)).shape == (2, 1, 128)
    assert len(frozen.layers(noise(1, 10)[0])[0]) == 1
    assert frame_counts(torch.tensor([10, 400, 719, 720])).tolist() == [1, 1, 1, 2]


def test_padding_has_no_part_in_features() -> None:
    frozen, wave, lengths = reference(), voices(), torch.tensor([8000, 5013])
    wave[1, 5013:] = 0.0
    together = frozen.features(wave, lengths)
    alone = frozen.features(wave[1:, :5013])
    torch.testing.assert_close(together[1:, : alone.shape[1]], alone, atol=2e-5, rtol=1e-4)


def test_clean_features_are_kept_and_right() -> None:
    frozen, wave = reference(), voices(1)[0]
    first = frozen.clean_layers(wave)
    assert frozen.clean_layers(wave.clone()) is first
    assert [key.split()[0] for key in frozen._kept] == ["cpu"]  # of no other device
    assert all(map(torch.equal, first, frozen.layers(wave)))
    assert not torch.equal(frozen.clean_layers(2 * wave + 0.1)[-1], first[-1])


def test_the_level_of_a_pair_is_that_of_its_clean_wave() -> None:
    wave = voices()
    torch.testing.assert_close((level_gain(wave) * wave).square().mean(-1), torch.ones(2))


def test_the_reference_of_an_artifact_is_the_same_whatever_was_drawn_before() -> None:
    settings = config()
    content = artifacts(settings)["pretraining"]
    torch.manual_seed(99)
    again = Reference(settings.ssl, content, (3,))
    assert torch.equal(again.features(voices()), reference().features(voices()))
