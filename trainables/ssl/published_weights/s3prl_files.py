"""Mockingjay and TERA as checkpoints of s3prl: a pickle with the weights and the configuration they were made with.

Names, defaults and meanings are those of s3prl 0.4.18 (upstream/mockingjay/builder.py and model.py,
upstream/baseline/preprocessor.py), and of the configurations of its earlier versions. What s3prl itself demands is
demanded here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from trainables.audio import features as audio
from trainables.base.errors import UserError
from trainables.base.foreign_pickles import load_foreign
from trainables.base.stated_facts import Fact, require_facts
from trainables.ssl.bodies.spectral_body import LAYER_NORM_EPS, LONGEST, SpectralArchitecture, SpectralBody

# Training, by part of the checkpoint and of its configuration. Dropout is the fine-tuning's own.
_STATES = (
    *("Transformer", "Config", "Upstream_Config", "SpecHead", "Optimizer", "Scheduler", "Step", "Global_step"),
    *("Epoch", "Args", "Runner"),
)
_SECTIONS = ("transformer", "task", "audio", "optimizer", "dataloader", "runner", "pretrain_expert")
_MASKING = (
    *("mask_proportion", "mask_consecutive_min", "mask_consecutive_max", "mask_allow_overlap", "mask_bucket_ratio"),
    *("mask_frequency", "noise_proportion"),
)
_TRANSFORMER = (*_MASKING, "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
_TASK = (*_MASKING, "loss")
# Of other features than log-mels, of the target, and noise added while training.
_AUDIO = ("n_mfcc", "target", "roots", "max_time", "noise_proportion", "noise_type", "snrs")

# A layer's names, ours -> s3prl's.
_LAYER_NAMES = {
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


def spectral_state(body: SpectralBody, path: Path) -> tuple[Path, dict[str, Tensor]]:
    """The checkpoint in `path`, a folder with one or that file, and its tensors by s3prl's names.

    Raises:
        UserError: no such file, damaged, or another network or front end than the body's.
    """
    file = one_file(path)
    content = load_foreign(file)
    state = content.get("Transformer") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise UserError(f"{file}: no 'Transformer' in it; give a checkpoint of s3prl's Mockingjay or TERA")
    require_facts(str(file), content, {}, _STATES)
    settings = [content.get(name) for name in ("Config", "Upstream_Config")]
    config = next((each for each in settings if isinstance(each, dict) and "transformer" in each), None)
    if config is None:
        raise UserError(f"{file}: neither Config nor Upstream_Config has 'transformer'; not s3prl's own checkpoint")
    _check_config(body.architecture, config, file)
    return file, {_modern(name): value for name, value in state.items()}


def spectral_name(name: str) -> str:
    """entry.projection.weight -> input_representations.spec_transform.weight and so on."""
    part, *middle, kind = name.split(".")
    if part == "entry":
        return f"{_ENTRY_NAMES[middle[0]]}.{kind}"
    layer, module = middle[0], middle[-1]  # the first step is a sequence: dropout, then the layer
    return f"encoder.layer.{layer}.{_LAYER_NAMES[module]}.{kind}"


def _check_config(ours: SpectralArchitecture, config: Mapping[str, Any], path: Path) -> None:
    transformer = {
        "hidden_size": Fact((ours.hidden,), read=int),
        "num_hidden_layers": Fact((ours.layers,), read=int),
        "num_attention_heads": Fact((ours.heads,), read=int),
        "intermediate_size": Fact((ours.feed_forward,), read=int),
        "hidden_act": Fact(("gelu",), read=str),
        "layer_norm_eps": Fact((LAYER_NORM_EPS,), read=float),
        "share_layer": Fact((False,)),
        "pre_layer_norm": Fact((False,)),
        "input_dim": Fact((-1, audio.MEL_BANDS), -1),
        "downsample_rate": Fact((1,), 1, read=int),
        "max_input_length": Fact((LONGEST,), LONGEST, read=int),
        "prune_headids": Fact((None, "None"), None),
    }
    task = {
        "sequence_length": Fact((LONGEST,), read=int),
        "position_encoding_size": Fact((ours.hidden,), ours.hidden, read=int),
    }
    front_end = {
        "sample_rate": Fact((audio.SAMPLE_RATE,), 16000, read=float),
        "win_ms": Fact((1000 * audio.N_FFT / audio.SAMPLE_RATE,), 25, read=float),
        "hop_ms": Fact((1000 * audio.HOP / audio.SAMPLE_RATE,), 10, read=float),
        "n_freq": Fact((audio.BINS,), 201, read=int),
        "n_mels": Fact((audio.MEL_BANDS,), 40, read=int),
        "eps": Fact((audio.LOG_EPS,), 1e-10, read=float),
        "target_level": Fact((audio.FEATURE_DECIBELS,), read=float),
    }
    features = {
        "feat_type": Fact(("mel",)),
        "log": Fact((True,), False),
        "cmvn": Fact((True,), False),
        "delta": Fact((0,), 0, read=int),
        "channel": Fact((0,), 0, read=int),
    }
    spectrum = {**_section(config, "audio", path)}
    bands = _section(spectrum, "input", path, "audio.")
    require_facts(f"{path}, transformer", _section(config, "transformer", path), transformer, _TRANSFORMER)
    require_facts(f"{path}, task", _section(config, "task", path), task, _TASK)
    require_facts(f"{path}, audio", spectrum, front_end, (*_AUDIO, "input"))
    require_facts(f"{path}, audio.input", bands, features)
    require_facts(str(path), config, {}, _SECTIONS)


def _section(config: Mapping[str, Any], name: str, path: Path, within: str = "") -> Mapping[str, Any]:
    found = config.get(name)
    if not isinstance(found, dict):
        raise UserError(
            f"{path}: no {within}{name} in its configuration, which has {', '.join(sorted(map(str, config)))}: another "
            "front end than log-mels, or none that is stated; give a checkpoint of s3prl's logMelBase models"
        )
    return found


def _modern(name: str) -> str:
    """TensorFlow's names of a LayerNorm's parameters, which s3prl also takes."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def one_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob("*.ckpt"))
    if len(files) != 1:
        raise UserError(f"{path}: holds {len(files)} .ckpt files; give the one file of s3prl's checkpoint")
    return files[0]
