"""Public checkpoints: random weights in the exact public file formats, and everything that can be wrong."""

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from transformers import (
    HubertConfig,
    HubertModel,
    PreTrainedConfig,
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2ForPreTraining,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from tests.support.methods import s3prl_model
from tests.support.methods.memory_artifacts import MemoryArtifacts
from trainables.audio.examples.mixing import Batch
from trainables.base.errors import UserError
from trainables.base.published.source import hub_source
from trainables.base.tensors import unpack
from trainables.config.registry import run_stage
from trainables.method import When
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.method import NormalizedSSL, build
from trainables.ssl.bodies.spectral_body import LogMelBody, SpectralBody
from trainables.ssl.bodies.upstreams import build_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.published_weights.reading import load_weights
from trainables.ssl.published_weights.source import resolve
from trainables.ssl.upstream_table import UPSTREAM_TABLE

MODELS: dict[str, tuple[type[PreTrainedConfig], type[PreTrainedModel]]] = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "hubert": (HubertConfig, HubertModel),
    "wavlm": (WavLMConfig, WavLMModel),
}
Published = tuple[str, Any, Path]  # upstream, model, its folder
S3prlFile = tuple[torch.nn.Module, Path]  # a model, its file
WAVE = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(1))


def base(upstream: str, **values: Any) -> NormalizedSSLConfig:
    return NormalizedSSLConfig.from_dict({"upstream": upstream, "size": "base", **values})


def empty_body(upstream: str, seed: int = 0) -> LogMelBody | WaveformBody:
    return build_body(base(upstream, init="random").ssl, seed).eval()


def empty_tera() -> SpectralBody:
    body = empty_body("tera")
    assert isinstance(body, SpectralBody)
    return body


def full_model(upstream: str, **settings: Any) -> PreTrainedModel:
    """A model of `transformers` at base width; two of the twelve layers are enough to be cut."""
    torch.manual_seed(3)
    config, model = MODELS[upstream]
    return model(config(**{"num_hidden_layers": 2, "apply_spec_augment": False, **settings})).eval()


@pytest.fixture(scope="module", params=sorted(MODELS))
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    model = full_model(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return request.param, model, folder


@pytest.fixture(scope="module")
def s3prl_file(tmp_path_factory: pytest.TempPathFactory) -> S3prlFile:
    torch.manual_seed(4)
    model = s3prl_model.reference_transformer()
    path = tmp_path_factory.mktemp("s3prl") / "states-1000000.ckpt"
    write_s3prl(path, model)
    return model, path


@contextmanager
def in_double(module: torch.nn.Module) -> Iterator[None]:
    """Without the rounding of sums that two implementations take in different orders."""
    module.double()
    yield
    module.float()


def write_s3prl(path: Path, model: torch.nn.Module, optimizer: Any = None, **settings: Any) -> None:
    content = {
        "Transformer": model.state_dict(),
        "SpecHead": torch.nn.Linear(2, 2).state_dict(),
        "Config": {**s3prl_model.CONFIG, "transformer": {**s3prl_model.BASE, **settings}},
        "Optimizer": optimizer,
        "Global_step": 1000000,
    }
    torch.save(content, path)


def test_a_truncated_waveform_body_equals_the_full_model(published: Published) -> None:
    upstream, model, folder = published
    body = empty_body(upstream)
    load_weights(body, upstream, folder)
    with torch.no_grad():
        expected = model(WAVE, output_hidden_states=True)
        convolved = model.feature_extractor(WAVE)
        found = body(WAVE)
    torch.testing.assert_close(found[7], convolved, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[9].transpose(1, 2), expected.hidden_states[1], atol=1e-5, rtol=0)


def test_a_truncated_spectral_body_equals_s3prls_model(s3prl_file: S3prlFile) -> None:
    model, path = s3prl_file
    body = empty_tera()
    load_weights(body, "tera", path)
    with torch.no_grad(), in_double(body), in_double(model):
        found = body(WAVE.double())
        expected = s3prl_model.hidden_states(model, body.features(WAVE.double()))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.transpose(1, 2), theirs, atol=1e-5, rtol=0)


def test_long_utterances_go_through_in_s3prls_even_pieces(s3prl_file: S3prlFile) -> None:
    model, path = s3prl_file
    body = empty_tera()
    load_weights(body, "tera", path)
    features = torch.randn(1, 1601, 80, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad(), in_double(body), in_double(model):
        found = body.encode(features)
        pieces = [s3prl_model.hidden_states(model, piece)[-1] for piece in torch.chunk(features, 2, dim=1)]
    # Angles of late positions are large, and ours are taken in float32.
    torch.testing.assert_close(found, torch.cat(pieces, dim=1), atol=2e-4, rtol=0)


def test_old_names_and_a_head_around_the_model_are_understood(tmp_path: Path) -> None:
    """As the hub's pytorch_model.bin of wav2vec2-base: weight_g, weight_v, a prefix, a pre-training head."""
    torch.manual_seed(5)
    model = Wav2Vec2ForPreTraining(Wav2Vec2Config(num_hidden_layers=1)).eval()
    new = "pos_conv_embed.conv.parametrizations.weight.original"
    old = {f"{new}0": "pos_conv_embed.conv.weight_g", f"{new}1": "pos_conv_embed.conv.weight_v"}
    state = model.state_dict()
    for ours, theirs in old.items():
        state[f"wav2vec2.encoder.{theirs}"] = state.pop(f"wav2vec2.encoder.{ours}")
    torch.save(state, tmp_path / "pytorch_model.bin")
    model.config.save_pretrained(tmp_path)
    body = empty_body("wav2vec2")
    load_weights(body, "wav2vec2", tmp_path)
    with torch.no_grad():
        expected = model.wav2vec2(WAVE).last_hidden_state
        torch.testing.assert_close(body(WAVE)[9].transpose(1, 2), expected, atol=1e-5, rtol=0)


def test_tensorflow_names_of_layer_norms_are_understood(tmp_path: Path, s3prl_file: S3prlFile) -> None:
    model, _ = s3prl_file
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state = {}
    for name, value in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        state[name] = value
    path = tmp_path / "old.ckpt"
    torch.save({"Transformer": state, "Upstream_Config": s3prl_model.CONFIG}, path)
    body = empty_tera()
    load_weights(body, "tera", path)
    torch.testing.assert_close(body.entry.layer_norm.bias, model.get_parameter("input_representations.LayerNorm.bias"))


class ForeignOptimizer:
    """Pickled by reference to a module that is not installed here."""

    def __init__(self) -> None:
        self.rate = [1.0]


ForeignOptimizer.__module__ = "optimizers"


class Intruder:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('intruded', 'w').close()",))


@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_objects_in_a_checkpoint_stay_inert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    import sys
    from types import ModuleType

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(4)
    model = s3prl_model.reference_transformer()
    module = ModuleType("optimizers")
    monkeypatch.setattr(module, "ForeignOptimizer", ForeignOptimizer, raising=False)
    monkeypatch.setitem(sys.modules, "optimizers", module)
    content = {
        "Transformer": model.state_dict(),
        "Config": s3prl_model.CONFIG,
        "Optimizer": [ForeignOptimizer(), Intruder()],
    }
    torch.save(content, "states.ckpt", _use_new_zipfile_serialization=zipped)
    monkeypatch.delitem(sys.modules, "optimizers")
    body = empty_tera()
    load_weights(body, "tera", tmp_path / "states.ckpt")
    weight = model.get_parameter("encoder.layer.0.intermediate.dense.weight")
    assert torch.equal(body.get_parameter("steps.0.1.expand.weight"), weight)
    assert not (tmp_path / "intruded").exists()


def test_a_plain_pickle_that_acts_is_refused_without_acting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(Intruder()))
    with pytest.raises(UserError, match=r"evil\.ckpt"):
        load_weights(empty_body("tera"), "tera", tmp_path / "evil.ckpt")
    assert not (tmp_path / "intruded").exists()


# -- what is wrong with it ----------------------------------------------------------------------------------


def refusal(upstream: str, path: Path) -> str:
    with pytest.raises(UserError) as found:
        load_weights(empty_body(upstream), upstream, path)
    message = str(found.value)
    assert "\n" not in message
    return message


def cut(path: Path, into: Path) -> Path:
    content = path.read_bytes()
    into.write_bytes(content[: len(content) // 2])
    return into


def small_folder(folder: Path, state: dict[str, torch.Tensor], **settings: Any) -> Path:
    torch.save(state, folder / "pytorch_model.bin")
    config = {"model_type": "wav2vec2", **settings}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_large_model_where_base_is_asked(tmp_path: Path) -> None:
    settings = {
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
    }
    message = refusal("wav2vec2", small_folder(tmp_path, {}, **settings))
    assert "config.json" in message
    assert "hidden_size=1024, here 768" in message


def test_another_architecture(tmp_path: Path) -> None:
    message = refusal("hubert", small_folder(tmp_path, {}))
    assert "'wav2vec2'" in message
    assert "hubert takes hubert" in message


def test_missing_tensors_are_never_left_random(tmp_path: Path) -> None:
    state = {"feature_extractor.conv_layers.0.conv.weight": torch.zeros(512, 1, 10)}
    message = refusal("wav2vec2", small_folder(tmp_path, state))
    assert "pytorch_model.bin: lacks" in message
    assert "feature_extractor.conv_layers.0.layer_norm" in message


def test_a_tensor_of_another_shape(tmp_path: Path, s3prl_file: S3prlFile) -> None:
    model, _ = s3prl_file
    state = {**model.state_dict(), "input_representations.spec_transform.weight": torch.zeros(768, 240)}
    path = tmp_path / "fbank.ckpt"
    torch.save({"Transformer": state, "Config": s3prl_model.CONFIG}, path)
    assert "spec_transform.weight is (768, 240), not (768, 80)" in refusal("tera", path)


def test_a_truncated_safetensors_file(tmp_path: Path, published: Published) -> None:
    upstream, _, folder = published
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    cut(folder / "model.safetensors", tmp_path / "model.safetensors")
    message = refusal(upstream, tmp_path)
    assert "model.safetensors" in message
    assert "truncated" in message


def test_a_truncated_s3prl_file(tmp_path: Path, s3prl_file: S3prlFile) -> None:
    message = refusal("tera", cut(s3prl_file[1], tmp_path / "half.ckpt"))
    assert "half.ckpt" in message
    assert "truncated" in message


def test_a_large_s3prl_model(tmp_path: Path) -> None:
    path = tmp_path / "large.ckpt"
    torch.save(
        {
            "Transformer": {},
            "Config": {**s3prl_model.CONFIG, "transformer": {**s3prl_model.BASE, "num_hidden_layers": 12}},
        },
        path,
    )
    assert "num_hidden_layers=12, here 3" in refusal("tera", path)


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    torch.save({"model": {}}, path)
    assert "no 'Transformer' in it" in refusal("tera", path)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    assert "model.safetensors" in refusal("wavlm", tmp_path)


# -- where it is --------------------------------------------------------------------------------------------


def test_without_a_published_default_the_refusal_says_where_its_own_weights_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match=r"states-1000000.*--set checkpoint="):
        base("mockingjay").stages(1, corpus_uri="", corpus_fingerprint="")
    monkeypatch.setitem(UPSTREAM_TABLE, "tera", replace(UPSTREAM_TABLE["tera"], published=None))
    with pytest.raises(UserError, match=r"tera at base size.*--set checkpoint=") as refused:
        base("tera").stages(1, corpus_uri="", corpus_fingerprint="")
    assert "mockingjay" not in str(refused.value)


def test_a_missing_path_is_said_before_anything_runs() -> None:
    with pytest.raises(UserError, match="no checkpoint at /nowhere/wavlm"):
        base("wavlm", checkpoint="/nowhere/{upstream}").stages(1, corpus_uri="", corpus_fingerprint="")


@pytest.mark.parametrize("source", ["wav2vec2-base", "models/a/b", "a b/c", ""])
def test_a_source_of_no_known_form(source: str) -> None:
    with pytest.raises(UserError, match="hub id"):
        base("wav2vec2", checkpoint=source)


def test_published_models_are_pinned() -> None:
    wanted = hub_source(resolve("hubert", None))
    assert wanted.repository == "facebook/hubert-base-ls960"
    assert len(wanted.revision or "") == 40


def test_without_a_network_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    (stage,) = base("wavlm").stages(1, corpus_uri="", corpus_fingerprint="")
    with pytest.raises(UserError, match=r"hf download microsoft/wavlm-base --revision .* --set checkpoint=") as found:
        run_stage(stage, None, MemoryArtifacts())
    assert "\n" not in str(found.value)


def test_one_stage_serves_every_seed_and_a_changed_file_is_another(tmp_path: Path, s3prl_file: S3prlFile) -> None:
    _, path = s3prl_file
    config = base("tera", checkpoint=str(path))
    assert config.stages(1, corpus_uri="a", corpus_fingerprint="b") == config.stages(
        2, corpus_uri="c", corpus_fingerprint="d"
    )
    copy = tmp_path / "copy.ckpt"
    copy.write_bytes(b"1")
    (before,) = base("tera", checkpoint=str(copy)).stages(1, corpus_uri="", corpus_fingerprint="")
    copy.write_bytes(b"12")
    (after,) = base("tera", checkpoint=str(copy)).stages(1, corpus_uri="", corpus_fingerprint="")
    assert before.key != after.key


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": "base", "cmvn": "corpus"}, "utterance statistics"),
        ({"size": "tiny", "checkpoint": "a/b"}, "pre-trained here"),
        ({"size": "base", "checkpoint": 3}, "hub id"),
    ],
)
def test_settings_that_do_not_belong_together(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        NormalizedSSLConfig.from_dict({"upstream": "tera", **values})


def test_a_method_is_built_from_the_checkpoint_and_trains_a_step(published: Published) -> None:
    upstream, model, folder = published
    config = base(upstream, checkpoint=str(folder), norm_layers=[2])
    (stage,) = config.stages(1, corpus_uri="", corpus_fingerprint="")
    artifacts = MemoryArtifacts()
    run_stage(stage, None, artifacts)
    assert len(unpack(artifacts[stage.key])["info"]["sha256"]) == 64
    take_a_step(build(config, {"pretraining": artifacts[stage.key]}, seed=1))
    first = build(config, {"pretraining": artifacts[stage.key]}, seed=1).body.get_parameter("steps.0.conv.weight")
    assert torch.equal(first, model.feature_extractor.conv_layers[0].conv.weight)


@pytest.mark.parametrize("upstream", ["mockingjay", "tera"])
def test_a_spectral_method_trains_a_step_from_the_checkpoint(upstream: str, s3prl_file: S3prlFile) -> None:
    config = base(upstream, checkpoint=str(s3prl_file[1]), norm_layers=[1])
    (stage,) = config.stages(1, corpus_uri="", corpus_fingerprint="")
    artifacts = MemoryArtifacts()
    run_stage(stage, None, artifacts)
    take_a_step(build(config, {"pretraining": artifacts[stage.key]}, seed=1))


def take_a_step(method: NormalizedSSL) -> None:
    """One optimizer step at base size on half a second."""
    method.train()
    batch = Batch(noisy=WAVE + 0.01, clean=WAVE, lengths=torch.tensor([WAVE.shape[1]]))
    loss = method.training_losses(batch, When(step=0, epoch=0, steps=10))["total"]
    loss.backward()
    torch.optim.SGD(method.parameter_groups()).step()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter).all() for parameter in method.parameters())
