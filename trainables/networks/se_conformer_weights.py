"""Public weights of SE-Conformer, as github.com/yskim3271/taps-baselines writes them (`seconformer.th`).

A file holds its state as `model`. Parameters bear the names of PyTorch's audio library; sizes are read off their
shapes, and what these do not show is as in that program: stride 4, upsampling by 4, four heads, 16 kHz.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from trainables.base.errors import UserError
from trainables.base.foreign_pickles import load_foreign
from trainables.base.stated_facts import Fact, require_facts
from trainables.networks.se_conformer import DEFAULTS

# Their key -> ours; those of the U-Net are the same.
_RULES = (
    (r"^conformers\.", "layers."),
    (r"self_attn_layer_norm\.", "attention_norm."),
    (r"self_attn\.", "attention."),
    (r"ffn1\.sequential\.", "before."),
    (r"ffn2\.sequential\.", "behind."),
    (r"(before|behind)\.0\.", r"\1.norm."),
    (r"(before|behind)\.1\.", r"\1.expand."),
    (r"(before|behind)\.4\.", r"\1.contract."),
    (r"conv_module\.layer_norm\.", "convolution.norm."),
    (r"conv_module\.sequential\.0\.", "convolution.expand."),
    (r"conv_module\.sequential\.2\.", "convolution.depthwise."),
    (r"conv_module\.sequential\.3\.", "convolution.conv_norm."),
    (r"conv_module\.sequential\.5\.", "convolution.contract."),
    (r"final_layer_norm\.", "norm."),
)
_FIELDS = ("feed_forward", "taps", "conv_norm")  # of the configuration, by these names
_UNSEEN = {"stride": 4, "resample": 4, "heads": 4, "sample_rate": 16_000}


def our_key(key: str) -> str:
    """Our name of a key of theirs."""
    for theirs, ours in _RULES:
        key = re.sub(theirs, ours, key)
    return key


def read_se_conformer(path: Path, content: bytes, sizes: Mapping[str, Any], sample_rate: int) -> dict[str, Tensor]:
    """The state in a file's `content`, under our names, for `SEConformer(**sizes)`.

    `path` is for messages, `sample_rate` that of the audio that the network will hear, in Hz.

    Raises:
        UserError: the file is of another kind or not finite, or its network or its audio is another.
    """
    stored = load_foreign(path, content)
    state = stored.get("model") if isinstance(stored, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()) or not state:
        raise UserError(f"{path}: not in the format of taps-baselines: a dictionary with the state of tensors as model")
    for key, value in state.items():
        if not value.isfinite().all():
            raise UserError(f"{path}: {key} is no tensor of finite values; fetch the file again")
    named = {our_key(key): value for key, value in state.items()}
    here = {**DEFAULTS, **sizes, "sample_rate": sample_rate}
    stated = _stated_by(named) | _UNSEEN
    require_facts(
        str(path), stated, {name: Fact((here[name],), field=name if name in _FIELDS else "") for name in stated}
    )
    return named


def _stated_by(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What tensors say of the constructor's arguments."""
    stated: dict[str, Any] = {}
    for name, key, axis in (
        ("hidden", "encoder.0.0.weight", 0),
        ("feed_forward", "layers.0.before.expand.weight", 0),
        ("taps", "layers.0.convolution.depthwise.weight", -1),
    ):
        if key in state and state[key].ndim:
            stated[name] = state[key].shape[axis]
    stated["layers"] = sum(key.startswith("layers.") and key.endswith(".before.norm.weight") for key in state)
    stated["depth"] = sum(key.startswith("encoder.") and key.endswith(".0.weight") for key in state)
    running = any(key.endswith("conv_norm.running_mean") for key in state)
    return {**stated, "conv_norm": "batch" if running else "layer"}
