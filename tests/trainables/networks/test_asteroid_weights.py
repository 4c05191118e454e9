"""Files in asteroid's format load: the exact keys of its three models, and refusals in one line."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from trainables.base.errors import UserError
from trainables.networks.asteroid_weights import our_key, read_asteroid
from trainables.networks.conv_tasnet import conv_tasnet
from trainables.networks.dual_path import dprnn_tasnet
from trainables.networks.dual_path_transformer import dptnet
from trainables.networks.masking_separator import MaskingSeparator

# asteroid 0.7, `state_dict()` of models with two blocks.
_LSTM = [f"{kind}_{part}_l0{way}" for way in ("", "_reverse") for kind in ("weight", "bias") for part in ("ih", "hh")]
_FRAME = ["encoder.filterbank._filters", "decoder.filterbank._filters"]
_BOTTLENECK = [f"masker.bottleneck.{leaf}" for leaf in ("0.gamma", "0.beta", "1.weight", "1.bias")]
_GATES = [f"masker.{part}.0.{leaf}" for part in ("net_out", "net_gate") for leaf in ("weight", "bias")]
_FIRST_OUT = [f"masker.first_out.{leaf}" for leaf in ("0.weight", "1.weight", "1.bias")]
_CONV_LEAVES = [
    *("shared_block.0.weight", "shared_block.0.bias", "shared_block.1.weight"),
    *("shared_block.2.gamma", "shared_block.2.beta", "shared_block.3.weight", "shared_block.3.bias"),
    *("shared_block.4.weight", "shared_block.5.gamma", "shared_block.5.beta"),
    *("res_conv.weight", "res_conv.bias", "skip_conv.weight", "skip_conv.bias"),
]
_DPRNN_LEAVES = [
    leaf
    for path in ("intra", "inter")
    for leaf in [
        *(f"{path}_RNN.rnn.{name}" for name in _LSTM),
        *(f"{path}_linear.{name}" for name in ("weight", "bias")),
        *(f"{path}_norm.{name}" for name in ("gamma", "beta")),
    ]
]
_DPT_LEAVES = [
    *("mha.in_proj_weight", "mha.in_proj_bias", "mha.out_proj.weight", "mha.out_proj.bias"),
    *(f"recurrent.{name}" for name in _LSTM),
    *("linear.weight", "linear.bias"),
    *(f"{norm}.{name}" for norm in ("norm_mha", "norm_ff") for name in ("gamma", "beta")),
]
KEYS = {
    "ConvTasNet": [
        *_FRAME, *_BOTTLENECK, *(f"masker.TCN.{n}.{leaf}" for n in range(2) for leaf in _CONV_LEAVES),
        *(f"masker.mask_net.{leaf}" for leaf in ("0.weight", "1.weight", "1.bias")),
    ],
    "DPRNNTasNet": [
        *_FRAME, *_BOTTLENECK, *(f"masker.net.{n}.{leaf}" for n in range(2) for leaf in _DPRNN_LEAVES),
        *_FIRST_OUT, *_GATES, "masker.mask_net.weight",
    ],
    "DPTNet": [
        *_FRAME, "masker.in_norm.gamma", "masker.in_norm.beta",
        *(f"masker.layers.{n}.{path}.{leaf}" for n in range(2) for path in range(2) for leaf in _DPT_LEAVES),
        *_FIRST_OUT, *_GATES,
    ],
}  # fmt: skip
FRAME_ARGUMENTS = {"fb_name": "free", "sample_rate": 8000, "norm_type": "gLN", "mask_act": "relu"}
MODELS: dict[str, tuple[Callable[[], MaskingSeparator], dict[str, Any]]] = {
    "ConvTasNet": (
        lambda: conv_tasnet(2, 8, filters=16, bottleneck=6, hidden=10, blocks=2, repeats=1),
        {"n_filters": 16, "kernel_size": 8, "stride": 4, "n_src": 2, "bn_chan": 6, "skip_chan": 6,
         "hid_chan": 10, "n_blocks": 2, "n_repeats": 1, "conv_kernel_size": 3},
    ),
    "DPRNNTasNet": (
        lambda: dprnn_tasnet(2, 8, filters=16, bottleneck=6, hidden=5, blocks=2, chunk=10),
        {"n_filters": 16, "kernel_size": 8, "stride": 4, "n_src": 2, "bn_chan": 6, "hid_size": 5,
         "n_repeats": 2, "chunk_size": 10, "hop_size": 5, "rnn_type": "LSTM", "bidirectional": True},
    ),
    "DPTNet": (
        lambda: dptnet(2, 8, filters=16, hidden=5, blocks=2, chunk=10),
        {"n_filters": 16, "kernel_size": 8, "stride": 4, "n_src": 2, "ff_hid": 5, "n_heads": 4,
         "n_repeats": 2, "chunk_size": 10, "hop_size": 5, "ff_activation": "relu"},
    ),
}  # fmt: skip


def file_of(model: str, **changes: Any) -> tuple[bytes, MaskingSeparator]:
    """A checkpoint as asteroid writes it, with the weights of the network that is returned."""
    torch.manual_seed(1)
    network = MODELS[model][0]()
    weights = network.state_dict()
    content = {
        "model_name": model,
        "state_dict": {key: weights[our_key(key)] for key in KEYS[model]},
        "model_args": {**FRAME_ARGUMENTS, **MODELS[model][1], **changes},
        "infos": {"software_versions": {"asteroid_version": "0.7.0"}},
    }
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue(), network


@pytest.mark.parametrize("model", MODELS)
def test_the_exact_keys_cover_the_network(model: str) -> None:
    assert sorted(map(our_key, KEYS[model])) == sorted(MODELS[model][0]().state_dict())


@pytest.mark.parametrize("model", MODELS)
def test_a_file_gives_the_network_that_it_holds(model: str) -> None:
    content, network = file_of(model)
    loaded, mixture = MODELS[model][0](), torch.randn(1, 500)
    weights, shapeless = read_asteroid(content)
    loaded.load_state_dict(weights)
    assert torch.equal(loaded(mixture), network(mixture))
    assert shapeless == ({"blocks": 2} if model == "ConvTasNet" else {"chunk": 10})


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("ConvTasNet", {"causal": True}, "causal=True; only False can be loaded"),
        ("ConvTasNet", {"mask_act": "sigmoid"}, "mask_act='sigmoid'; only 'relu' can be loaded"),
        ("ConvTasNet", {"stride": 2}, "stride=2 with kernel_size=8"),
        ("DPTNet", {"n_heads": 8}, "n_heads=8; only 4 can be loaded"),
    ],
)
def test_another_structure_is_refused(model: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        read_asteroid(file_of(model, **changes)[0])


def test_other_files_are_refused() -> None:
    file = io.BytesIO()
    torch.save({"weights": torch.ones(1)}, file)
    with pytest.raises(UserError, match="asteroid's format"):
        read_asteroid(file.getvalue())
    with pytest.raises(UserError, match=r"unknown key 'masker\.gru\.weight'"):
        our_key("masker.gru.weight")
