"""What the spaces on normalized SSL fine-tuning share: presets, baselines and ranges.

Published strengths and layers are where a search starts.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from search_spaces.presets import by_name, demo, smoke
from search_spaces.space import Candidate, Config, Group, Preset, Space
from trainables.job.assignment import DataSettings
from trainables.normalized_ssl.config import PAPER_STRENGTH, SPECTRAL_UPSTREAMS, UPSTREAMS
from trainables.ssl.upstream_table import UPSTREAM_TABLE

if TYPE_CHECKING:
    import optuna

STRENGTHS = (0.25, 0.5, 0.8, 1.0)
TINY_RATES, RATIOS = (4e-3, 8e-3, 16e-3), (0.1, 0.5, 1.0)  # of the head, and of the body's to the head's
# The layer that the paper normalizes, per upstream.
PAPER_LAYER = {upstream: 1 if upstream in SPECTRAL_UPSTREAMS else 2 for upstream in UPSTREAMS}
# Where the demo's few steps of a tiny model start from: chosen on the valid split (docs/experiments/normalized_ssl.md).
_TINY_RATE = {upstream: 16e-3 if entry.transformer else 4e-3 for upstream, entry in UPSTREAM_TABLE.items()}
# At this size one cheap loss, the deciding metric, teaches more per second than the paper's three.
_TINY_LOSSES = {"w_time": 0.0, "w_mstft": 0.0, "w_si_sdr": 1.0}
# Crops of two seconds for the spectral upstreams, of one for the others, which train twice as long.
_SPECTRAL: dict[str, Any] = {"crop_seconds": 2.0}
_WAVEFORM: dict[str, Any] = {"crop_seconds": 1.0, "steps": 100_000, "round_steps": 10_000}
_PAPER_GROUPS = {upstream: _SPECTRAL if upstream in SPECTRAL_UPSTREAMS else _WAVEFORM for upstream in UPSTREAMS}

SMOKE = smoke(
    groups=("tera", "wav2vec2"),
    steps=4,
    metric="si_sdr",
    data=DataSettings(batch=2, crop_seconds=0.5, valid_seconds=4.5, test_seconds=4.5, evaluation_clip_seconds=1.5),
    config={"size": "tiny", "pretraining_steps": 3, "gate_steps": 2, **_TINY_LOSSES},
)
DEMO = demo(
    groups=("tera", "wav2vec2"),
    steps=80,
    round_steps=40,
    metric="si_sdr",
    data=DataSettings(batch=4, test_seconds=155.0),  # one sentence of every speaker of the demo corpus
    slow_clips=10,
    exempt=1,  # 59 of 60 second trials were behind at half their steps, and none of these got ahead
    config={"size": "tiny", **_TINY_LOSSES},
    by_group={upstream: {"steps": 100, "round_steps": 50} for upstream in SPECTRAL_UPSTREAMS},  # whose steps cost half
)
PAPER = Preset(
    name="paper",
    summary="published weights, the paper's 50,000 to 100,000 steps",
    groups=("tera", "wav2vec2", "hubert", "wavlm"),  # those of the paper that are on the hub
    samples=6,
    seeds=5,
    steps=50_000,
    round_steps=5_000,
    metric="wb_pesq",
    data=DataSettings(
        batch=8,
        crop_seconds=1.0,
        snr_low=0.0,
        snr_high=15.0,
        valid_seconds=150,
        test_seconds=2_500,
        evaluation_clip_seconds=15.0,
    ),
    config={"size": "base", "warmup_share": 0.02, "gate_steps": 2_000, "similarity_pairs": 32},
    by_group=_PAPER_GROUPS,
    at_scale=True,
)
SMALL = replace(
    PAPER,
    name="small",
    summary="published weights, 5,000 steps a job",
    samples=3,
    seeds=3,
    steps=5_000,
    round_steps=1_000,
    data=replace(PAPER.data, valid_seconds=100, test_seconds=600),
    config={"size": "base", "warmup_share": 0.04, "gate_steps": 500, "similarity_pairs": 32},
    by_group={name: {"crop_seconds": own["crop_seconds"]} for name, own in _PAPER_GROUPS.items()},
)

PRESETS = by_name(SMOKE, DEMO, SMALL, PAPER)


def baselines() -> list[Candidate]:
    """No normalization, and an untrained body, whose scores scatter more than those of pre-trained ones."""
    return [
        Candidate(label="none", config={"init": "pretrained", "norm_layers": []}, baseline=True),
        Candidate(label="random", config={"init": "random", "norm_layers": []}, baseline=True, apart=True),
    ]


def normalized(label: str, layers: list[int], **more: Any) -> Candidate:
    """The pre-trained body with these layers normalized."""
    return Candidate(label=label, config={"init": "pretrained", "norm_layers": layers, **more})


def at_base_size(preset: Preset) -> bool:
    return preset.config.get("size") == "base"


def deepest_default(group: Group, preset: Preset) -> int:
    """Layers 1-3; at base size also 4 of waveform bodies."""
    return 4 if at_base_size(preset) and group["upstream"] not in SPECTRAL_UPSTREAMS else 3


def paper_layer(group: Group) -> list[int]:
    return [PAPER_LAYER[group["upstream"]]]


def suggest_rates(trial: "optuna.Trial", preset: Preset) -> Config:
    """The learning rates of head and body, over the same values for every candidate."""
    rates = [1e-4, 3e-4, 1e-3] if at_base_size(preset) else TINY_RATES
    return {
        "lr_head": trial.suggest_categorical("lr_head", rates),
        "lr_body_ratio": trial.suggest_categorical("lr_body_ratio", RATIOS),
    }


def anchor_rates(group: Group, preset: Preset) -> Config:
    """The paper names no optimizer: these are ours, measured at tiny size."""
    base = at_base_size(preset)
    return {
        "lr_head": 1e-4 if base else _TINY_RATE[group["upstream"]],
        "lr_body_ratio": 0.5 if base else 1.0,
    }


def normalizes(candidate: Candidate) -> bool:
    return bool(candidate.config.get("norm_layers"))


def _tunes_strength(candidate: Candidate) -> bool:
    return normalizes(candidate) and "k0" not in candidate.config


def usual_suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    """Learning rates, and k0 within each candidate that normalizes and does not fix it."""
    values = suggest_rates(trial, preset)
    if _tunes_strength(candidate):
        values["k0"] = trial.suggest_categorical("k0", STRENGTHS)
    return values


def usual_anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = anchor_rates(group, preset)
    if _tunes_strength(candidate):
        values["k0"] = PAPER_STRENGTH[group["upstream"]]
    return values


# A space of this method gives its name, question and candidates, and whatever differs from these.
ssl_space = partial(
    Space,
    method="normalized_ssl",
    group_by="upstream",
    groups=UPSTREAMS,
    presets=PRESETS,
    suggest=usual_suggest,
    anchor=usual_anchor,
)
