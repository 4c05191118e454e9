"""Published weights in asteroid's format, for our networks.

Such a file is a dictionary with `model_name`, `model_args` and `state_dict`; the hub's ConvTasNet,
DPRNNTasNet and DPTNet models are files of this kind. Only tensors and plain values are unpickled.
"""

import io
import pickle
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from trainables.base.errors import UserError

# asteroid's key -> ours; the first rule that matches the whole key counts.
_RULES = [
    (r"(encoder|decoder)\.filterbank\._filters", r"\1.weight"),
    (r"masker\.(?:bottleneck\.0|in_norm)\.(.*)", r"masker.norm.\1"),
    (r"masker\.bottleneck\.1\.(.*)", r"masker.bottleneck.\1"),
    (r"masker\.TCN\.(\d+)\.shared_block\.0\.(.*)", r"masker.blocks.\1.expand.\2"),
    (r"masker\.TCN\.(\d+)\.shared_block\.1\.(.*)", r"masker.blocks.\1.expand_prelu.\2"),
    (r"masker\.TCN\.(\d+)\.shared_block\.2\.(.*)", r"masker.blocks.\1.expand_norm.\2"),
    (r"masker\.TCN\.(\d+)\.shared_block\.3\.(.*)", r"masker.blocks.\1.depthwise.\2"),
    (r"masker\.TCN\.(\d+)\.shared_block\.4\.(.*)", r"masker.blocks.\1.depthwise_prelu.\2"),
    (r"masker\.TCN\.(\d+)\.shared_block\.5\.(.*)", r"masker.blocks.\1.depthwise_norm.\2"),
    (r"masker\.TCN\.(\d+)\.res_conv\.(.*)", r"masker.blocks.\1.residual.\2"),
    (r"masker\.TCN\.(\d+)\.skip_conv\.(.*)", r"masker.blocks.\1.skip.\2"),
    (r"masker\.net\.(\d+)\.intra_RNN\.rnn\.(.*)", r"masker.blocks.\1.within.lstm.\2"),
    (r"masker\.net\.(\d+)\.inter_RNN\.rnn\.(.*)", r"masker.blocks.\1.across.lstm.\2"),
    (r"masker\.net\.(\d+)\.intra_(linear|norm)\.(.*)", r"masker.blocks.\1.within.\2.\3"),
    (r"masker\.net\.(\d+)\.inter_(linear|norm)\.(.*)", r"masker.blocks.\1.across.\2.\3"),
    (r"masker\.layers\.(\d+)\.0\.(.*)", r"masker.blocks.\1.within.\2"),
    (r"masker\.layers\.(\d+)\.1\.(.*)", r"masker.blocks.\1.across.\2"),
    (r"masker\.(?:mask_net|first_out)\.0\.(.*)", r"masker.head.prelu.\1"),
    (r"masker\.(?:mask_net|first_out)\.1\.(.*)", r"masker.head.output.\1"),
    (r"masker\.net_out\.0\.(.*)", r"masker.head.value.\1"),
    (r"masker\.net_gate\.0\.(.*)", r"masker.head.gate.\1"),
    (r"masker\.mask_net\.weight", r"masker.head.mask.weight"),
]
# Parts of DPTNet's layers, and the names of a norm's parameters.
_PARTS = {"mha": "attention", "recurrent": "lstm", "norm_mha": "attention_norm", "norm_ff": "recurrent_norm"}
_LEAVES = {"gamma": "weight", "beta": "bias"}

# What a model must have where its arguments name it, since we build in nothing else.
_BUILT_IN: dict[str, Any] = {
    "norm_type": "gLN", "mask_act": "relu", "causal": False, "bidirectional": True, "rnn_type": "LSTM",
    "use_mulcat": False, "num_layers": 1, "conv_kernel_size": 3, "ff_activation": "relu", "n_heads": 4,
}  # fmt: skip
_MODELS = ("ConvTasNet", "DPRNNTasNet", "DPTNet")
# asteroid's arguments that no weight's shape shows -> ours.
_SHAPELESS = {"n_blocks": "blocks", "chunk_size": "chunk"}


def read_asteroid(content: bytes, where: str = "checkpoint") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights in a file's `content`, and those of its builder's arguments that no shape shows, in our names.

    Raises:
        UserError: the file is of another kind, or its model differs from ours in structure.
    """
    try:
        stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        name, arguments, state = (stored[key] for key in ("model_name", "model_args", "state_dict"))
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(
            f"{where}: no checkpoint in asteroid's format (model_name, model_args, state_dict): {error}"
        ) from error
    if name not in _MODELS:
        raise UserError(f"{where}: model {name!r}; allowed are {', '.join(_MODELS)}")
    _check_structure(arguments, where)
    shapeless = {ours: arguments[theirs] for theirs, ours in _SHAPELESS.items() if theirs in arguments}
    return {our_key(key): value for key, value in state.items()}, shapeless


def our_key(key: str) -> str:
    """Our name of an asteroid key. Raises `UserError` for a key that none of the three networks has."""
    for pattern, replacement in _RULES:
        if re.fullmatch(pattern, key):
            parts = re.sub(pattern, replacement, key).split(".")
            parts[-1] = _LEAVES.get(parts[-1], parts[-1])
            return ".".join(_PARTS.get(part, part) for part in parts)
    raise UserError(f"asteroid checkpoint: unknown key {key!r}; it is of another network")


def _check_structure(arguments: Mapping[str, Any], where: str) -> None:
    for name, expected in _BUILT_IN.items():
        if arguments.get(name, expected) != expected:
            raise UserError(f"{where}: {name}={arguments[name]!r}; only {expected!r} can be loaded")
    for step, width in (("stride", "kernel_size"), ("hop_size", "chunk_size")):
        if arguments.get(step) and arguments[step] != arguments[width] // 2:
            raise UserError(
                f"{where}: {step}={arguments[step]} with {width}={arguments[width]}; only half of it can be loaded"
            )
