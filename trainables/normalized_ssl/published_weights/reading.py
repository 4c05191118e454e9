"""The stage that init="pretrained" rests on at base size: published weights, cut to the layers that are used.

Weights are copied name by name into the truncated body. Nothing is left at its random initial value:
a tensor that is missing or of another shape is an error that names the file and the difference.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.audio.corpus.shards import file_sha256
from trainables.base.errors import UserError
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.normalized_ssl.bodies.body import Body
from trainables.normalized_ssl.bodies.spectral_body import SPEECH_STATISTICS, SpectralBody
from trainables.normalized_ssl.bodies.upstreams import build_body, pack_body
from trainables.normalized_ssl.bodies.waveform_body import CONVOLUTIONS, WaveformBody, transformers_config
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.published_weights.files import CONFIG_FILE, local_files, weights_of
from trainables.normalized_ssl.published_weights.foreign_pickles import load_foreign, reading
from trainables.normalized_ssl.upstream_table import UPSTREAM_TABLE

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

# Settings on which the published configuration and the body must agree.
_WAVEFORM_FACTS = (
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "conv_dim",
    "conv_kernel",
    "conv_stride",
    "conv_bias",
    "feat_extract_norm",
    "do_stable_layer_norm",
    "num_conv_pos_embeddings",
    "num_conv_pos_embedding_groups",
    "hidden_act",
    "feat_extract_activation",
)
_FIRST_CONVOLUTION = "feature_extractor.conv_layers.0.conv.weight"
# torch's old names of a weight-normed convolution's parameters.
_OLD_WEIGHT_NORM = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}
# A spectral layer's names, ours -> s3prl's.
_SPECTRAL_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "output_norm": "output.LayerNorm",
}
_ENTRY_NAMES = {
    "projection": "input_representations.spec_transform",
    "layer_norm": "input_representations.LayerNorm",
}


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the truncated body's state; `info` says which file it came from."""
    settings = {name: stage.config[name] for name in ("upstream", "size")}
    config = NormalizedSSLConfig.from_dict({**settings, "init": "random"})
    path = local_files(stage.config["checkpoint"])
    body = build_body(config, stage.seed)
    used = load_weights(body, config.upstream, path)
    progress(1, 1)
    return pack_body(body, info={"checkpoint": stage.config["checkpoint"], "sha256": file_sha256(used)})


def load_weights(body: SpectralBody | WaveformBody, upstream: str, path: Path) -> Path:
    """Fill the body with published weights, from a folder or file of the upstream's family; returns the file used.

    Raises:
        UserError: missing, damaged, of another architecture, or without a tensor that is needed.
    """
    if not path.exists():
        raise UserError(f"no checkpoint at {path}: check the path")
    if isinstance(body, SpectralBody):
        weights = _spectral_file(path)
        fill(body, _spectral_state(body, weights), weights, _spectral_name)
    else:
        weights = _waveform_file(path)
        _check_waveform_config(body, upstream, weights.parent / CONFIG_FILE)
        fill(body, _waveform_state(weights), weights, _waveform_name)
    return weights


def fill(body: Body, state: Mapping[str, Tensor], where: Path, name_in_file: Callable[[str], str]) -> None:
    """Copy every parameter and buffer of the body from `state`. Raises `UserError` naming the first misfit."""
    found, missing, misshapen = {}, [], []
    for name, ours in body.state_dict().items():
        if name in SPEECH_STATISTICS:
            found[name] = ours  # measured on the corpus at hand, in no checkpoint
            continue
        source = name_in_file(name)
        theirs = state.get(source)
        if not isinstance(theirs, Tensor):
            missing.append(source)
        elif theirs.shape != ours.shape:
            misshapen.append(f"{source} is {tuple(theirs.shape)}, not {tuple(ours.shape)}")
        elif not theirs.isfinite().all():
            raise UserError(f"{where}: {source} holds values that are not finite; fetch the file again")
        else:
            found[name] = theirs.to(ours.dtype)
    if missing:
        raise UserError(f"{where}: lacks {len(missing)} tensors that the body needs, first {missing[0]}")
    if misshapen:
        raise UserError(f"{where}: {len(misshapen)} tensors differ from the base size, first {misshapen[0]}")
    body.load_state_dict(found)


# -- wav2vec 2.0, HuBERT, WavLM: models of transformers ---------------------------------------------------


def _waveform_file(path: Path) -> Path:
    return weights_of(path) if path.is_dir() else path


def _check_waveform_config(body: WaveformBody, upstream: str, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path.parent}: holds no {CONFIG_FILE}; give the folder of a whole model")
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); fetch it again") from error
    kind = theirs.get("model_type")
    known = UPSTREAM_TABLE[upstream].model_types
    if kind not in known:
        raise UserError(f"{path}: a model of type {kind!r}; {upstream} takes {' or '.join(known)}")
    ours = transformers_config(body.architecture)
    usual = type(ours)()
    for name in _WAVEFORM_FACTS:
        value, wanted = theirs.get(name, getattr(usual, name)), getattr(ours, name)
        if _plain(value) != _plain(wanted):
            raise UserError(f"{path}: not a base-size {upstream}: {name} is {_plain(value)}, not {_plain(wanted)}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _waveform_state(path: Path) -> dict[str, Tensor]:
    """Tensors by their name in the bare model; a task's head around it is left out."""
    state = _weights(path)
    prefix = next((name.removesuffix(_FIRST_CONVOLUTION) for name in state if name.endswith(_FIRST_CONVOLUTION)), "")
    bare = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    for new, old in _OLD_WEIGHT_NORM.items():
        bare |= {name.removesuffix(old) + new: value for name, value in bare.items() if name.endswith("." + old)}
    return bare


def _weights(path: Path) -> dict[str, Tensor]:
    with reading(path):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)


def _waveform_name(name: str) -> str:
    """steps.0. -> feature_extractor.conv_layers.0. and so on."""
    _, step, rest = name.split(".", 2)
    if int(step) < CONVOLUTIONS:
        return f"feature_extractor.conv_layers.{step}.{rest}"
    return rest.replace("projection.", "feature_projection.", 1) if int(step) == CONVOLUTIONS else rest


# -- Mockingjay, TERA: checkpoints of s3prl ---------------------------------------------------------------


def _spectral_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob("*.ckpt"))
    if len(files) != 1:
        raise UserError(f"{path}: holds {len(files)} .ckpt files; give the one file of s3prl's checkpoint")
    return files[0]


def _spectral_state(body: SpectralBody, path: Path) -> dict[str, Tensor]:
    content = load_foreign(path)
    state = content.get("Transformer") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise UserError(f"{path}: no 'Transformer' in it; give a checkpoint of s3prl's Mockingjay or TERA")
    _check_spectral_config(body, content, path)
    return {_modern(name): value for name, value in state.items()}


def _check_spectral_config(body: SpectralBody, content: dict[str, Any], path: Path) -> None:
    settings = [content.get(name) for name in ("Config", "Upstream_Config")]
    theirs = next((each["transformer"] for each in settings if isinstance(each, dict) and "transformer" in each), None)
    if theirs is None:
        raise UserError(f"{path}: neither Config nor Upstream_Config has 'transformer'; not s3prl's own checkpoint")
    ours = body.architecture
    wanted = {
        "hidden_size": ours.hidden,
        "num_hidden_layers": ours.layers,
        "num_attention_heads": ours.heads,
        "intermediate_size": ours.feed_forward,
        "hidden_act": "gelu",
        "pre_layer_norm": False,
        "share_layer": False,
    }
    for name, value in wanted.items():
        found = theirs.get(name, value)
        if str(found) != str(value):
            raise UserError(f"{path}: not a base-size body: {name} is {found}, not {value}")


def _modern(name: str) -> str:
    """TensorFlow's names of a LayerNorm's parameters, which s3prl also takes."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _spectral_name(name: str) -> str:
    """entry.projection.weight -> input_representations.spec_transform.weight and so on."""
    part, *middle, kind = name.split(".")
    if part == "entry":
        return f"{_ENTRY_NAMES[middle[0]]}.{kind}"
    layer, module = middle[0], middle[-1]  # the first step is a sequence: dropout, then the layer
    return f"encoder.layer.{layer}.{_SPECTRAL_NAMES[module]}.{kind}"
