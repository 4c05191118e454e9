"""A measurement of whether "how is position kept out?" is meaningful for a reference at the size used.

One stage over the references of all seeds: the position shortcut index of clean valid speech at every transformer
layer. Where it is not above zero at any, frames of different utterances are no more alike at the same position than
elsewhere, and there is nothing to remove. Torch-free; position_component.py computes it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Unpack

from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace
from trainables.ssl.stages import body_stage

if TYPE_CHECKING:
    from trainables.position_invariant.config import PositionInvariantConfig

# Bump when a change of code changes what the gate measures.
GATE_VERSION = 2
KIND = "position_component"


def gate_stages(
    config: "PositionInvariantConfig", seeds: Sequence[int], data: DataSettings, **place: Unpack[StagePlace]
) -> tuple[Stage, ...]:
    """One, resting on the reference of each seed; published weights are the same for all, and it rests on them once."""
    below = {stage.key: stage for stage in (body_stage(config.ssl, seed, **place) for seed in seeds)}
    stage = Stage(
        kind=KIND,
        name=f"{config.upstream} position component",
        runner="position_component",
        version=GATE_VERSION,
        config={"reference": config.ssl.body_fields(), "data": asdict(data)},
        seed=seeds[0],
        rests_on=tuple(below.values()),
        **place,
    )
    return (stage,)


def read_gates(artifacts: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """{"position": one {"layer", "value", "interval"} for each transformer layer}, the interval over utterances."""
    (content,) = artifacts[KIND]
    return {"position": json.loads(content)["layers"]}
