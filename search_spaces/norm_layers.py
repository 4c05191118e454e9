"""Which layer should be normalized, for each self-supervised upstream?

Candidates: no normalization, an untrained body, and each single low layer. Tuned within every candidate:
the learning rate of head and body; and, where there is a strength, its initial value k0.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.space import Candidate, Config, Group, Preset, Space
from trainables.assignment import DataSettings

if TYPE_CHECKING:
    import optuna

_SPECTRAL = ("tera",)
_PAPER_K0 = {"tera": 0.8, "wav2vec2": 0.5}
# Where a few hundred steps of a tiny model start from: chosen on the valid split with an untrained body.
_TINY_RATE = {"tera": 4e-3, "wav2vec2": 8e-3}
# At this size one loss that is cheap and says what is judged teaches more per second than the paper's three.
_TINY_LOSSES = {"w_time": 0.0, "w_mstft": 0.0, "w_si_sdr": 1.0}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    """`none` and `random` always; layers 1-3, and for waveform bodies at paper scale also 4."""
    deepest = 4 if preset.name == "paper" and group["upstream"] not in _SPECTRAL else 3
    layers = [
        Candidate(label=f"layer{layer}", config={"init": "pretrained", "norm_layers": [layer]})
        for layer in range(1, deepest + 1)
    ]
    return [
        Candidate(label="none", config={"init": "pretrained", "norm_layers": []}, baseline=True),
        Candidate(label="random", config={"init": "random", "norm_layers": []}, baseline=True),
        *layers,
    ]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    values: Config = {
        "lr_head": trial.suggest_categorical("lr_head", _learning_rates(preset)),
        "lr_body_ratio": trial.suggest_categorical("lr_body_ratio", [0.1, 0.5, 1.0]),
    }
    if candidate.config["norm_layers"]:
        values["k0"] = trial.suggest_categorical("k0", [0.25, 0.5, 0.8, 1.0])
    return values


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    paper = preset.name == "paper"
    values: Config = {
        "lr_head": 1e-4 if paper else _TINY_RATE[group["upstream"]],
        "lr_body_ratio": 0.5 if paper else 1.0,
    }
    if candidate.config["norm_layers"]:
        values["k0"] = _PAPER_K0[group["upstream"]]
    return values


def _learning_rates(preset: Preset) -> list[float]:
    """A few hundred steps want a higher rate than 50,000 do."""
    return [1e-4, 3e-4, 1e-3] if preset.name == "paper" else [2e-3, 4e-3, 8e-3]


_SMOKE = Preset(
    name="smoke",
    summary="does everything once in under a minute; scores mean nothing",
    groups=("tera", "wav2vec2"),
    samples=1,
    seeds=2,
    steps=4,
    round_steps=2,
    metric="si_sdr",
    data=DataSettings(
        batch=2, crop_seconds=0.5, valid_seconds=4.5, test_seconds=4.5, evaluation_clip_seconds=1.5
    ),
    config={"size": "tiny", "pretraining_steps": 3, "gate_steps": 2, **_TINY_LOSSES},
    meaningful=False,
)
_DEMO = Preset(
    name="demo",
    summary="an honest small experiment on a CPU, about ten minutes on two cores",
    groups=("tera", "wav2vec2"),
    samples=2,
    seeds=3,
    steps=160,
    round_steps=80,
    metric="si_sdr",
    data=DataSettings(batch=4),
    config={"size": "tiny", **_TINY_LOSSES},
)

NORM_LAYERS = Space(
    name="norm_layers",
    question="Which layer should be normalized, for each self-supervised upstream?",
    method="normalized_ssl",
    group_by="upstream",
    groups=("tera", "wav2vec2"),
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    presets={preset.name: preset for preset in (_SMOKE, _DEMO)},
)
