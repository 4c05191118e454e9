"""Published weights in asteroid's format, for our networks.

Such a file is a dictionary with `model_name`, `model_args` and `state_dict`; the hub's ConvTasNet,
DPRNNTasNet and DPTNet models are files of this kind. `model_args` are those of the constructors in asteroid 0.7 (names
and defaults); each of them must be what is built here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from trainables.base.errors import UserError
from trainables.base.foreign_pickles import load_foreign
from trainables.base.stated_facts import Fact, require_facts
from trainables.networks.conv_tasnet import TAPS
from trainables.networks.dual_path_transformer import HEADS

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

_MODELS = {"convtasnet": "ConvTasNet", "dprnn": "DPRNNTasNet", "dptnet": "DPTNet"}  # ours -> asteroid's
# What a file holds next to model_name, model_args and state_dict: it says where a model comes from, not what it is.
_PROVENANCE = ("infos", "dataset", "task", "licenses")


def read_asteroid(
    path: Path, content: bytes, model: str, sizes: Mapping[str, int], sample_rate: int, outputs: int
) -> dict[str, Tensor]:
    """The weights in a file's `content`, under our names; `path` is for messages.

    `model` and `sizes` are those of trainables/separation/architectures.py, `sample_rate` is in Hz.

    Raises:
        UserError: the file is of another kind, or says that its network, its audio or its number of outputs is another.
    """
    stored = load_foreign(path, content)
    needed = ("model_name", "model_args", "state_dict")
    if not isinstance(stored, dict) or not all(key in stored for key in needed):
        raise UserError(f"{path}: not in asteroid's format: it lacks {' or '.join(needed)}")
    if not all(isinstance(stored[key], dict) for key in ("model_args", "state_dict")):
        raise UserError(f"{path}: not in asteroid's format: model_args or state_dict is no dictionary")
    described = {key: value for key, value in stored.items() if key not in ("model_args", "state_dict")}
    require_facts(str(path), described, {"model_name": Fact((_MODELS[model],))}, _PROVENANCE)
    arguments = dict(stored["model_args"])
    if arguments.get("sample_rate") is None:
        arguments["sample_rate"] = _rate_of_training(stored)
    require_facts(str(path), arguments, _facts(model, sizes, sample_rate, outputs))
    for key, value in stored["state_dict"].items():
        if not isinstance(value, Tensor) or not value.isfinite().all():
            raise UserError(f"{path}: {key} is no tensor of finite values; fetch the file again")
    return {our_key(key): value for key, value in stored["state_dict"].items()}


def _facts(model: str, sizes: Mapping[str, int], sample_rate: int, outputs: int) -> dict[str, Fact]:
    """Every argument of the model's constructor, and of its filterbank's, with asteroid 0.7's default."""
    filters, kernel = sizes["filters"], sizes["kernel"]
    encoder = {"dptnet": Fact(("relu",), "relu")}.get(model, Fact((None, "linear"), None))
    facts = {
        "n_src": Fact((outputs,)),
        "n_filters": Fact((filters,), 512 if model == "convtasnet" else 64),
        "kernel_size": Fact((kernel,), 16, "kernel"),
        "stride": Fact((kernel // 2, None), 8),
        "sample_rate": Fact((sample_rate,), 8000, "sample_rate"),
        "in_chan": Fact((None, filters), None),
        "norm_type": Fact(("gLN", "GlobLN"), "gLN"),
        "mask_act": Fact(("relu",), "relu" if model == "dptnet" else "sigmoid"),
        "encoder_activation": encoder,
        "fb_name": Fact(("free", "FreeFB"), "free"),
        "who_is_pinv": Fact((None,), None),
        "padding": Fact((0,), 0),
        "output_padding": Fact((0,), 0),
    }
    if model == "convtasnet":
        bottleneck = sizes["bottleneck"]
        return facts | {
            "out_chan": Fact((None, filters), None),
            "n_blocks": Fact((sizes["blocks"],), 8, "blocks"),
            "n_repeats": Fact((sizes["repeats"],), 3, "repeats"),
            "bn_chan": Fact((bottleneck,), 128, "bottleneck"),
            "skip_chan": Fact((bottleneck,), 128),
            "hid_chan": Fact((sizes["hidden"],), 512, "hidden"),
            "conv_kernel_size": Fact((TAPS,), 3),
            "causal": Fact((False,), False),
        }
    facts |= {
        "chunk_size": Fact((sizes["chunk"],), 100, "chunk"),
        "hop_size": Fact((sizes["chunk"] // 2, None), None),
        "n_repeats": Fact((sizes["blocks"],), 6, "blocks"),
        "bidirectional": Fact((True,), True),
        "dropout": Fact((0,), 0),
    }
    if model == "dptnet":
        return facts | {
            "n_heads": Fact((HEADS,), 4),
            "ff_hid": Fact((sizes["hidden"],), 256, "hidden"),
            "ff_activation": Fact(("relu",), "relu"),
        }
    return facts | {
        "out_chan": Fact((None, filters), None),
        "bn_chan": Fact((sizes["bottleneck"],), 128, "bottleneck"),
        "hid_size": Fact((sizes["hidden"],), 128, "hidden"),
        "rnn_type": Fact(("LSTM", "lstm"), "LSTM"),
        "num_layers": Fact((1,), 1),
        "use_mulcat": Fact((False,), False),
    }


def _rate_of_training(stored: Mapping[str, Any]) -> Any:
    """In Hz, as the recipe's data said; asteroid's default where it does not: files of before 0.4 state no rate."""
    found: Any = stored
    for key in ("infos", "training_config", "data", "sample_rate"):
        found = found.get(key) if isinstance(found, dict) else None
    return 8000 if found is None else found


def our_key(key: str) -> str:
    """Our name of an asteroid key. Raises `UserError` for a key that none of the three networks has."""
    for pattern, replacement in _RULES:
        if re.fullmatch(pattern, key):
            parts = re.sub(pattern, replacement, key).split(".")
            parts[-1] = _LEAVES.get(parts[-1], parts[-1])
            return ".".join(_PARTS.get(part, part) for part in parts)
    raise UserError(f"asteroid checkpoint: unknown key {key!r}; it is of another network")
