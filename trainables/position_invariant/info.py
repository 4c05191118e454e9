"""Position-invariant fine-tuning as a sweep sees it."""

from collections.abc import Mapping
from typing import Any

from trainables.config.method_info import MethodInfo
from trainables.position_invariant.config import PositionInvariantConfig
from trainables.ssl.upstream_table import UPSTREAM_TABLE

_FOLDER = "trainables.position_invariant"


def _step_seconds(config: PositionInvariantConfig) -> tuple[float, float]:
    """Of a step at tiny size, measured with softdtw, the dearest variant; `none` takes none."""
    return (0.0, 0.0) if config.variant == "none" else (0.01, 0.015)


def _pretraining_step_seconds(config: Mapping[str, Any]) -> float:
    if "front_end" in config:
        return 0.045
    return UPSTREAM_TABLE[config["upstream"]].pretraining_step_seconds * 1.3  # three transformer layers


INFO = MethodInfo(
    name="position_invariant",
    config=PositionInvariantConfig,
    build=f"{_FOLDER}.method:build",
    runners={
        "position_front_end": f"{_FOLDER}.front_end_pretraining:run",
        "position_front_end_weights": f"{_FOLDER}.front_end_weights:run",
    },
    weights_checks={"position_front_end_weights": f"{_FOLDER}.front_end_weights:check_local"},
    groups="upstream",
    full_size=lambda config: config.size == "base",
    step_seconds=_step_seconds,
    pretraining_step_seconds=_pretraining_step_seconds,
    checkpoint_bytes=(8e6, 270e6),  # DEMUCS with 64 channels; Conv-TasNet takes 40e6
    curves={"loss_distance": "distance", "planted_share": "planted_share", "representation/*": "representation/*"},
)
