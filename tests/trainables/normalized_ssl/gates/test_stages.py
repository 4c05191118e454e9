import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweep.verdict.gates import interpretable
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.gates.stages import gate_stages, read_gates

CONFIG = NormalizedSSLConfig(upstream="tera")
SEEDS = (11, 12, 13)
PLACE: StagePlace = {"corpus_uri": "corpus", "corpus_fingerprint": "print"}


def stages(
    config: NormalizedSSLConfig = CONFIG,
    data: DataSettings = DataSettings(),  # noqa: B008
    seeds: Sequence[int] = SEEDS,
) -> tuple[Stage, ...]:
    return gate_stages(config, seeds, data, **PLACE)


def keys(*args: Any, **kwargs: Any) -> list[str]:
    return [stage.key for stage in stages(*args, **kwargs)]


def test_one_transfer_gap_a_seed_and_one_mismatch_over_all() -> None:
    *gaps, mismatch = stages()
    assert [(stage.kind, stage.seed) for stage in gaps] == [("transfer_gap", seed) for seed in SEEDS]
    assert mismatch.kind == "mismatch"
    assert [stage.rests_on for stage in gaps] == [CONFIG.stages(seed, **PLACE) for seed in SEEDS]
    assert [below.seed for below in mismatch.rests_on] == list(SEEDS)


def test_a_checkpoint_is_one_body_of_the_mismatch_whatever_the_seeds() -> None:
    config = NormalizedSSLConfig(upstream="tera", size="base")
    *gaps, mismatch = stages(config)
    assert mismatch.rests_on == config.stages(SEEDS[0], **PLACE)
    assert all(gap.rests_on == mismatch.rests_on for gap in gaps)


def test_keys_depend_on_what_is_measured_and_not_on_normalization() -> None:
    assert keys(replace(CONFIG, norm_layers=(2,), k0=1.0)) != keys(replace(CONFIG, gate_steps=7))
    assert keys(replace(CONFIG, norm_layers=(2,))) == keys(CONFIG) == keys(replace(CONFIG, init="random"))
    rivals: dict[str, Any] = {
        "adapters": "both",
        "adapter_channels": 4,
        "adversary_layer": 2,
        "adversary_domains": "noise",
        "adversary_strength": 1.0,
        "readout": "weighted",
    }
    assert keys(replace(CONFIG, **rivals)) == keys(CONFIG)
    assert not set(keys(replace(CONFIG, pretraining_input="noisy"))) & set(keys(CONFIG))
    assert len({*keys(), *keys(data=DataSettings(valid_seconds=9)), *keys(seeds=(21, 22, 23))}) == 12


def test_a_plan_can_list_them_without_torch() -> None:
    code = "import trainables.normalized_ssl.gates.stages, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_readings_fit_the_judgement() -> None:
    rows = [
        {
            "utterance": f"u{n}",
            "speaker": f"s{n}",
            "noise_type": "rain",
            "pretrained": 2.0 + n / 9,
            "random": 1.0,
        }
        for n in range(6)
    ]
    gaps = [json.dumps({"seed": seed, "utterances": rows}).encode() for seed in SEEDS]
    site = {
        "site": 0,
        "value": 0.2,
        "interval": [0.1, 0.3],
        "distance": 0.45,
        "log_ratio": 0.1,
        "seeds": [0.2],
    }
    read = read_gates({"transfer_gap": gaps, "mismatch": [json.dumps({"sites": [site]}).encode()]})
    assert read["transfer_gap"]["seeds"] == list(SEEDS)
    assert np.shape(read["transfer_gap"]["pretrained"]) == (3, 6)
    result = interpretable(read["transfer_gap"], read["mismatch"])
    assert result["interpretable"]
    assert result["transfer_gap"]["value"] == pytest.approx(1 + 2.5 / 9)
