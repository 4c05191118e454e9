"""A finished sweep's files, with rows whose truth is known and the real verdict over them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweep.plan.plan import Plan
from sweep.progress.progress_state import ProgressState
from sweep.stored.heartbeat import beating
from sweep.verdict.verdict import decide, holm
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.storage.storage import Storage

UTTERANCES = 12
LEVELS = {"noisy": -1.0, "none": 1.0, "random": 0.4, "layer1": 1.2, "layer2": 1.9, "layer3": 1.5}  # dB


def finished_sweep(base: Path, name: str = "evening") -> Plan:
    """Files below `base`: plan, heartbeat, test rows and the result of a sweep that layer 2 wins."""
    plan = make_plan(base / name, name=name)
    storage = Storage(plan.output)
    storage.write("plan.json", json.dumps(plan.to_json()).encode())
    with beating(storage, ProgressState(plan, phase="done", elapsed=600.0).snapshot):
        pass
    rows = rows_on_test(plan)
    buffer = io.BytesIO()
    rows.to_parquet(buffer)
    storage.write("results/rows-test.parquet", buffer.getvalue())
    storage.write("result.json", json.dumps(result_of(plan, rows)).encode())
    return plan


def given_more(plan: Plan) -> None:
    """Make it a sweep whose last group was added when it had finished, and was not come to yet."""
    storage = Storage(plan.output)
    result = json.loads(storage.read("result.json"))
    storage.write("result.json", json.dumps({**result, "groups": result["groups"][:-1]}).encode())


def result_of(plan: Plan, rows: pd.DataFrame) -> dict[str, Any]:
    verdicts = [
        decide(
            group=group.group,
            rows=rows[rows["group"] == group.name],
            metric=plan.metric,
            candidates=group.candidates,
            leader="layer2",
            seeds=plan.seeds,
        )
        for group in plan.groups
    ]
    return {
        "sweep": plan.name,
        "space": plan.space,
        "question": plan.space_object().question,
        "preset": plan.preset,
        "meaningful": True,
        "metric": plan.metric,
        "groups": holm(verdicts),
        "trials": {"complete": 50, "pruned": 0, "failed": 0},
        "corpus": {"synthetic": True},
        "tracking_uri": plan.tracking_uri,
        "output": plan.output,
    }


def rows_on_test(plan: Plan) -> pd.DataFrame:
    """SI-SDR as LEVELS says; WB-PESQ a tenth of it, so that the two metrics agree on the order."""
    rng = np.random.default_rng(0)
    rows = []
    for group in plan.groups:
        for candidate, level in LEVELS.items():
            for seed in (-1,) if candidate == "noisy" else plan.seeds:
                for number in range(UTTERANCES):
                    score = level + 0.3 * (number % 4) + 0.02 * rng.standard_normal()
                    rows += [
                        _row(group.name, candidate, seed, number, "si_sdr", score),
                        _row(group.name, candidate, seed, number, "wb_pesq", 1.1 + score / 10),
                    ]
    return pd.DataFrame(rows)


def _row(group: str, candidate: str, seed: int, number: int, metric: str, value: float) -> dict[str, Any]:
    return {
        "group": group,
        "candidate": candidate,
        "phase": "final",
        "seed": seed,
        "job": candidate if candidate == "noisy" else f"{group}/final/{candidate}/seed-{seed}",
        "split": "test",
        "utterance": f"u{number:02d}",
        "speaker": f"s{number % 4}",
        "noise_type": ("hum", "babble")[number % 2],
        "snr_db": 0.0,
        "metric": metric,
        "value": value,
        "status": "ok",
        "gain": 1.0,
        "polarity": 1.0,
        "lag": 0,
    }
