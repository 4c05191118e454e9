"""Position-invariant fine-tuning as a sweep sees it."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainables.config.method_info import MethodInfo
from trainables.position_invariant.config import TRANSFORMER_LAYERS, PositionInvariantConfig, measure_names
from trainables.ssl.upstream_table import UPSTREAM_TABLE

_FOLDER = "trainables.position_invariant"


def _pretraining_step_seconds(config: Mapping[str, Any]) -> float:
    if "front_end" in config:
        return 0.04
    return UPSTREAM_TABLE[config["upstream"]].pretraining_step_seconds * 1.3  # three transformer layers


def _cautions(config: PositionInvariantConfig) -> Sequence[str]:
    if config.size == "tiny":
        return ()
    return (
        "faithful=partial: the paper's layer, rates, gamma and speeds are not public; these are of its authors' "
        "earlier code",
    )


INFO = MethodInfo(
    name="position_invariant",
    config=PositionInvariantConfig,
    build=f"{_FOLDER}.method:build",
    runners={
        "position_front_end": f"{_FOLDER}.front_end_pretraining:run",
        "position_front_end_weights": f"{_FOLDER}.front_end_weights:run",
        "position_component": f"{_FOLDER}.gates.position_component:run",
    },
    weights_checks={"position_front_end_weights": f"{_FOLDER}.front_end_weights:check_local"},
    gates=f"{_FOLDER}.gates.stages",
    measures=lambda config: measure_names(TRANSFORMER_LAYERS[config.size]),
    groups="upstream",
    cautions=_cautions,
    full_size=lambda config: config.size == "base",
    step_seconds=lambda config: (0.01, 0.0125),  # of softdtw, the dearest variant; none takes none
    pretraining_step_seconds=_pretraining_step_seconds,
    checkpoint_bytes=(8e6, 270e6),  # DEMUCS with 64 channels; Conv-TasNet takes 40e6
    curves={"loss_distance": "distance", "planted_share": "planted_share", "representation/*": "representation/*"},
)
