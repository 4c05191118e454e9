"""Published weights of DEMUCS, in the two forms of its authors' program (facebookresearch/denoiser 0.1.5).

A file is either a state alone, as on their hub (dns48, dns64, master64), or what their training writes: a package with
`class`, `args`, `kwargs` and `state`, alone or as the `model` of a checkpoint, whose `best_state` then counts. Each
argument of a package must be what is built here. Of a state alone, sizes are read off its tensors; the rest is as on
the hub: 16 kHz, stride and upsampling 4 of a causal network (dns48, dns64, master64), 2 of another (valentini_nc).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.base.errors import UserError
from trainables.base.foreign_pickles import load_foreign
from trainables.base.stated_facts import Fact, require_facts
from trainables.networks.demucs import DEFAULTS, Demucs

# The constructor's arguments in the order of its signature.
_POSITIONS = (
    "chin", "chout", "hidden", "depth", "kernel_size", "stride", "causal", "resample", "growth", "max_hidden",
    "normalize", "glu", "rescale", "floor", "sample_rate",
)  # fmt: skip
_RATE_OF_THE_HUB, _STRIDE_OF_THE_HUB = 16_000, {True: 4, False: 2}  # the stride, and upsampling by as much, if causal
_PACKAGE = ("class", "args", "kwargs", "state")
_FORMAT = f"a state of tensors, or a package with {', '.join(_PACKAGE)}"


def read_demucs(path: Path, content: bytes, sizes: Mapping[str, Any], sample_rate: int = 16_000) -> dict[str, Tensor]:
    """The state in a file's `content`, for `Demucs(**sizes)`; `path` is for messages.

    Args:
        path: of the file.
        content: its bytes.
        sizes: `hidden`, `causal` if false, and what else differs from `DEFAULTS` in trainables/networks/demucs.py.
        sample_rate: of the audio that the network will hear, in Hz.

    Raises:
        UserError: the file is of another kind or not finite, or its network or its audio is another.
    """
    stored = load_foreign(path, content)
    if isinstance(stored, dict) and isinstance(stored.get("model"), dict):
        stored = {**stored["model"], **({"state": stored["best_state"]} if "best_state" in stored else {})}
    if not isinstance(stored, dict) or not stored:
        raise UserError(f"{path}: not in denoiser's format: {_FORMAT}")
    facts = _facts({**DEFAULTS, "causal": True, **sizes}, sample_rate)
    packed = "state" in stored
    if packed:
        require_facts(str(path), _arguments(path, stored), facts, ("rescale",))  # of fresh weights only
    state = stored["state"] if packed else stored
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: not in denoiser's format: {_FORMAT}")
    stated = _stated_by(state)
    if not packed:
        stride = _STRIDE_OF_THE_HUB[stated["causal"]]
        stated |= {"stride": stride, "resample": stride, "sample_rate": _RATE_OF_THE_HUB}
    require_facts(str(path), stated, {name: fact for name, fact in facts.items() if name in stated})
    _require_fit(path, state, sizes)
    return dict(state)


def _facts(sizes: Mapping[str, Any], sample_rate: int) -> dict[str, Fact]:
    """What is built here, and the authors' default, of every argument of their constructor that shapes an output."""
    return {
        "chin": Fact((1,), 1),
        "chout": Fact((1,), 1),
        "hidden": Fact((sizes["hidden"],), 48),
        "depth": Fact((sizes["depth"],), 5),
        "kernel_size": Fact((sizes["kernel"],), 8),
        "stride": Fact((sizes["stride"],), 4),
        "causal": Fact((sizes["causal"],), True),
        "resample": Fact((sizes["resample"],), 4),
        "growth": Fact((2,), 2),
        "max_hidden": Fact((10_000,), 10_000),
        "normalize": Fact((True,), True),
        "glu": Fact((True,), True),
        "floor": Fact((1e-3,), 1e-3),
        "sample_rate": Fact((sample_rate,), 16_000),
    }


def _arguments(path: Path, package: Mapping[str, Any]) -> dict[str, Any]:
    positional, named = package.get("args"), package.get("kwargs")
    fits = isinstance(positional, tuple | list) and isinstance(named, dict) and len(positional) <= len(_POSITIONS)
    if not fits or set(package) != set(_PACKAGE):
        raise UserError(f"{path}: not in denoiser's format: {_FORMAT}")
    return {**dict(zip(_POSITIONS, positional or (), strict=False)), **(named or {})}


def _stated_by(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What tensors say of the constructor's arguments."""
    first = state.get("encoder.0.0.weight")
    stated: dict[str, Any] = {"causal": not any(key.endswith("_reverse") for key in state)}
    if first is not None and first.ndim == 3:
        stated |= dict(zip(("hidden", "chin", "kernel_size"), first.shape, strict=True))
        stated["depth"] = sum(key.startswith("encoder.") and key.endswith(".0.weight") for key in state)
    return stated


def _require_fit(path: Path, state: Mapping[str, Tensor], sizes: Mapping[str, Any]) -> None:
    with torch.device("meta"):
        wanted = {key: value.shape for key, value in Demucs(**sizes).state_dict().items()}
    for key in [*wanted, *state]:
        if key not in state or key not in wanted or state[key].shape != wanted[key]:
            here, there = (tuple(found[key]) if key in found else "none" for found in (wanted, _shapes(state)))
            raise UserError(f"{path}: another network: {key} has shape {there}, here {here}; give DEMUCS weights")
        if not (state[key].is_floating_point() and state[key].isfinite().all()):
            raise UserError(f"{path}: {key} is no tensor of finite values; fetch the file again")


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state.items()}
