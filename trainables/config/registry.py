"""The methods by name, loaded only when asked for: reading a configuration must not import torch."""

import importlib
from typing import Any

from trainables.base.errors import UserError
from trainables.base.plugins import Registry, load
from trainables.config.method_config import MethodConfig
from trainables.config.method_info import MethodInfo
from trainables.job.stages import Artifacts, Progress, Stage

METHODS = Registry(
    "methods",
    MethodInfo,
    {
        "contrastive_se": "trainables.contrastive_se.info:INFO",
        "normalized_ssl": "trainables.normalized_ssl.info:INFO",
        "position_invariant": "trainables.position_invariant.info:INFO",
        "separation": "trainables.separation.info:INFO",
        "waveform_se": "trainables.waveform_se.info:INFO",
    },
)

# Of no method: training in common, and the self-supervised models that several methods rest on.
_OWN_RUNNERS = {
    "shared_prefix": "trainables.shared_prefix:run",
    "ssl_pretraining": "trainables.ssl.pretraining.pretraining:run",
    "ssl_speech_units": "trainables.ssl.pretraining.speech_units:run",
    "ssl_published_weights": "trainables.ssl.published_weights.reading:run",
}
_OWN_WEIGHTS_CHECKS = {"ssl_published_weights": "trainables.ssl.published_weights.reading:check_local"}


def config_class(method: str) -> type[MethodConfig]:
    """The method's configuration dataclass (torch-free). `config_class(m).from_dict({...})` validates."""
    return METHODS[method].config


def build_method(method: str, config: Any, artifacts: dict[str, Any], seed: int) -> Any:
    """A `Method` with its weights set from `seed` and from the artifacts of its stages, by kind."""
    return load(METHODS[method].build)(config, artifacts, seed)


def gates_of(method: str) -> Any | None:
    """The module that lists and reads the method's gates; None where it has none."""
    gates = METHODS[method].gates
    return importlib.import_module(gates) if gates else None


def group_flags() -> list[str]:
    """`--upstreams` and their like, of every method; a package that cannot be loaded has none."""
    groups = {info.groups for info in METHODS.usable().values()}
    return [f"--{group}s" for group in sorted(filter(None, groups))]


def run_stage(stage: Stage, corpus: Any, artifacts: Artifacts, progress: Progress | None = None) -> None:
    """Compute one stage and store it, unless it is there already."""
    if not artifacts.has(stage.key):
        content = load(stage_runner(stage.runner))(stage, corpus, artifacts, progress or (lambda done, total: None))
        artifacts.write(stage.key, content)


def stage_runner(name: str) -> str:
    """The "module:function" that computes such stages. Raises UserError where no method lists it, or two do."""
    found = [info.runners[name] for info in METHODS.usable().values() if name in info.runners]
    found += [_OWN_RUNNERS[name]] if name in _OWN_RUNNERS else []
    if len(found) != 1:
        raise UserError(
            f"{len(found)} installed methods have a stage runner {name!r}: one must list it in its MethodInfo.runners"
        )
    return found[0]


def check_weights(stage: Stage) -> None:
    """Raise `UserError` where the stage reads weights of others from a file on this machine that cannot be used."""
    for checks in (_OWN_WEIGHTS_CHECKS, *(info.weights_checks for info in METHODS.usable().values())):
        if stage.runner in checks:
            load(checks[stage.runner])(stage)
