"""Two measurements of whether "which layer should be normalized?" is meaningful at the size used.

*Transfer gap*, one stage per seed: the head trained on the frozen pretrained body and on the frozen random one,
scored per utterance. *Mismatch*, one stage over all bodies: the distance of noisy from clean features at each
site. This file lists the stages and reads their results without torch; gates.py computes them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Unpack

from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace
from trainables.normalized_ssl.config import RIVAL_FIELDS, NormalizedSSLConfig

# Bump when a change of code changes what the gates measure.
GATE_VERSION = 4
TRANSFER_GAP, MISMATCH = "transfer_gap", "mismatch"


def gate_stages(
    config: NormalizedSSLConfig, seeds: Sequence[int], data: DataSettings, **place: Unpack[StagePlace]
) -> tuple[Stage, ...]:
    """A transfer gap for each seed, resting on that seed's pre-training, and one mismatch resting on all.

    Published weights are the same stage for every seed; the mismatch rests on it once.
    Of `config`, the upstream, the pre-training and the head's training count; normalization is off.
    """
    rivals_off: dict[str, Any] = {"adapters": None, "adversary_layer": None, "readout": "last"}
    frozen = replace(config, init="pretrained", norm_layers=(), freeze_body=True, **rivals_off)
    below = {seed: frozen.stages(seed, **place) for seed in seeds}
    distinct = {stage.key: stage for stages in below.values() for stage in stages}
    # Rivals of normalization are off as well, but for the pre-training's input, which is part of what the stage rests
    # on: without their fields, a stage is the one it was before they existed.
    method = {name: value for name, value in frozen.to_dict().items() if name not in RIVAL_FIELDS}
    settings = {"method": method, "data": asdict(data)}
    gaps = [
        Stage(
            kind=TRANSFER_GAP,
            name=f"{config.upstream} transfer gap, seed {seed}",
            runner="ssl_transfer_gap",
            version=GATE_VERSION,
            config=settings,
            seed=seed,
            rests_on=below[seed],
            **place,
        )
        for seed in seeds
    ]
    mismatch = Stage(
        kind=MISMATCH,
        name=f"{config.upstream} mismatch",
        runner="ssl_mismatch",
        version=GATE_VERSION,
        config={"pretraining": frozen.ssl.body_fields(), "data": asdict(data)},
        seed=seeds[0],
        rests_on=tuple(distinct.values()),
        **place,
    )
    return (*gaps, mismatch)


def read_gates(artifacts: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """The gates' results for one upstream, as plain data.

    Args:
        artifacts: the contents of the stages, by kind: a transfer gap for each seed, and one mismatch.

    Returns:
        "transfer_gap": {"seeds", "utterances", "speakers", "noise_types", and "pretrained" and "random", each
        (seeds, utterances) SI-SDR in dB, None where a score failed}; "mismatch": one {"site", "value",
        "interval", "distance", "log_ratio", "seeds"} per site, as in `trainables.normalized_ssl.gates.mismatch`.
    """
    gaps = [json.loads(content) for content in artifacts[TRANSFER_GAP]]
    (mismatch,) = (json.loads(content) for content in artifacts[MISMATCH])
    first = gaps[0]["utterances"]
    return {
        "transfer_gap": {
            "seeds": [gap["seed"] for gap in gaps],
            "utterances": [row["utterance"] for row in first],
            "speakers": [row["speaker"] for row in first],
            "noise_types": [row["noise_type"] for row in first],
            "pretrained": [[row["pretrained"] for row in gap["utterances"]] for gap in gaps],
            "random": [[row["random"] for row in gap["utterances"]] for gap in gaps],
        },
        "mismatch": mismatch["sites"],
    }
