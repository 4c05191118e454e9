"""Files as asteroid 0.7 writes them, of any size; and golden outputs of its own models.

tests/trainables/networks/golden_asteroid.json holds, for one small model of each kind, what asteroid 0.7.0 itself wrote
and computed: `model_args`, the shapes of its `state_dict()`, and its output for `mixture()` with `weights(shapes)`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.networks.asteroid_weights import our_key
from trainables.networks.masking_separator import MaskingSeparator

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "trainables" / "networks" / "golden_asteroid.json").read_text()
)["models"]
# The golden models' sizes in our names.
SIZES: dict[str, dict[str, int]] = {
    "convtasnet": {"filters": 16, "kernel": 8, "bottleneck": 6, "hidden": 10, "blocks": 2, "repeats": 2},
    "dprnn": {"filters": 16, "kernel": 8, "bottleneck": 6, "hidden": 5, "blocks": 2, "chunk": 10},
    "dptnet": {"filters": 16, "kernel": 8, "hidden": 5, "blocks": 2, "chunk": 10},
}


def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The golden models' weights under asteroid's keys, or others of the given shapes."""
    return {
        key: torch.tensor(np.random.default_rng(number).normal(size=shape) * 0.4, dtype=torch.float32)
        for number, (key, shape) in enumerate(sorted(shapes.items()))
    }


def mixture() -> Tensor:
    """(1, 150)."""
    return torch.tensor(np.random.default_rng(100).normal(size=(1, 150)), dtype=torch.float32)


def content_of(model: str, changes: Mapping[str, Any] | None = None, without: str = "") -> dict[str, Any]:
    """The golden model's file, its arguments changed, one of them left out."""
    golden = GOLDEN[model]
    arguments = {**golden["model_args"], **(changes or {})}
    arguments.pop(without, None)
    return {
        "model_name": golden["model_name"],
        "model_args": arguments,
        "state_dict": weights(golden["shapes"]),
        "infos": {"software_versions": {"asteroid_version": "0.7.0"}, "final_metrics": {"si_sdr": np.float64(14.8)}},
    }


def write(path: Path, content: Mapping[str, Any]) -> Path:
    torch.save(dict(content), path)
    return path


def arguments_of(model: str, sizes: Mapping[str, int], **changes: Any) -> dict[str, Any]:
    """What asteroid writes of a one-output model of our sizes."""
    filters, kernel = sizes["filters"], sizes["kernel"]
    frame = {"n_filters": filters, "in_chan": filters, "kernel_size": kernel, "stride": kernel // 2}
    own: dict[str, Any] = {
        "convtasnet": {"blocks": "n_blocks", "repeats": "n_repeats", "bottleneck": "bn_chan", "hidden": "hid_chan"},
        "dprnn": {"blocks": "n_repeats", "bottleneck": "bn_chan", "hidden": "hid_size", "chunk": "chunk_size"},
        "dptnet": {"blocks": "n_repeats", "hidden": "ff_hid", "chunk": "chunk_size"},
    }
    named = {theirs: sizes[ours] for ours, theirs in own[model].items()}
    if model == "convtasnet":
        named["skip_chan"] = sizes["bottleneck"]
    else:
        named["hop_size"] = sizes["chunk"] // 2
    if model != "dptnet":
        frame["out_chan"] = filters
    return {**GOLDEN[model]["model_args"], **frame, **named, **changes}


def content_of_network(
    model: str, network: MaskingSeparator, sizes: Mapping[str, int], **changes: Any
) -> dict[str, Any]:
    """The file of a network of ours, with its weights."""
    theirs = {our_key(key): key for key in GOLDEN[model]["shapes"]}
    state = {}
    for key, value in network.state_dict().items():
        first = re.sub(r"blocks\.\d+\.", "blocks.0.", key)
        number = re.search(r"blocks\.(\d+)\.", key)
        state[re.sub(r"(TCN|net|layers)\.0\.", rf"\1.{number[1]}.", theirs[first]) if number else theirs[key]] = value
    name = GOLDEN[model]["model_name"]
    return {"model_name": name, "model_args": arguments_of(model, sizes, **changes), "state_dict": state}
