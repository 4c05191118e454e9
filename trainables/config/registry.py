"""The methods by name, loaded only when asked for: reading a configuration must not import torch."""

import importlib
from typing import Any

from trainables.base.errors import UserError

# name -> (module of the torch-free configuration : class, module of the method : builder)
_METHODS = {
    "contrastive_se": (
        "trainables.contrastive_se.config:ContrastiveSEConfig",
        "trainables.contrastive_se.method:build",
    ),
    "normalized_ssl": (
        "trainables.normalized_ssl.config:NormalizedSSLConfig",
        "trainables.normalized_ssl.method:build",
    ),
    "separation": (
        "trainables.separation.config:SeparationConfig",
        "trainables.separation.method:build",
    ),
}

# Methods whose question can be checked for meaning before it is asked: a torch-free module with
# `gate_stages(config, ...)` and `read_gates(artifacts)`.
_GATES = {"normalized_ssl": "trainables.normalized_ssl.gates.stages"}


def method_names() -> list[str]:
    return sorted(_METHODS)


def config_class(method: str) -> Any:
    """The method's configuration dataclass (torch-free). `config_class(m).from_dict({...})` validates."""
    return _load(_entry(method)[0])


def build_method(method: str, config: Any, artifacts: dict[str, Any], seed: int) -> Any:
    """A `Method` with its weights set from `seed` and from the artifacts of its stages, by kind."""
    return _load(_entry(method)[1])(config, artifacts, seed)


def import_method(method: str) -> None:
    """Load all that training by this method needs, which takes seconds the first time."""
    importlib.import_module("trainables.session")
    _load(_entry(method)[1])


def gates_of(method: str) -> Any | None:
    """The module that lists and reads the method's gates; None where it has none."""
    return importlib.import_module(_GATES[method]) if method in _GATES else None


def _entry(method: str) -> tuple[str, str]:
    if method not in _METHODS:
        raise UserError(f"unknown method {method!r}: choose one of {', '.join(method_names())}")
    return _METHODS[method]


def _load(path: str) -> Any:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)
