"""What the contrastive spaces share: how much work each preset is, and the learning rates tried by all.

Compare at equal numbers of forward examples: every candidate, `normal` included, trains on the same views.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search_spaces.space import Candidate, Config, Group, Preset
from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import EVERYDAY

if TYPE_CHECKING:
    import optuna

SCORED = (*EVERYDAY, "nb_pesq")  # the report's PESQ is narrow-band

# The report's protocol; one epoch of its 4120 utterances in batches of 256 is 16 steps.
_PAPER_DATA = DataSettings(
    batch=256,
    crop_seconds=1.024,
    training_snrs=(-10.0, -5.0, 0.0, 5.0, 10.0),
    evaluation_snrs=(-7.5, -2.5, 2.5, 7.5),
    noise_level="crop",
    valid_seconds=400,
    test_seconds=4096,  # 500 utterances at four SNRs
    evaluation_clip_seconds=2.048,
)

SMOKE = Preset(
    name="smoke",
    summary="does everything once in two minutes; scores mean nothing",
    groups=(),
    samples=1,
    seeds=2,
    steps=8,
    round_steps=2,
    metric="si_sdr",
    data=replace(_PAPER_DATA, batch=2, crop_seconds=0.256, valid_seconds=8, test_seconds=8),
    config={"size": "tiny", "optimizer": "adamw"},
    gates=False,
    meaningful=False,
)
DEMO = Preset(
    name="demo",
    summary="an honest small experiment on a CPU, about twenty minutes on two cores",
    groups=(),
    samples=2,
    seeds=3,
    steps=400,
    round_steps=50,
    metric="si_sdr",
    data=replace(_PAPER_DATA, batch=4, crop_seconds=0.512, valid_seconds=30, test_seconds=75),
    config={"size": "tiny", "optimizer": "adamw", "lr_floor": 0.05},
    gates=False,
)
PAPER = Preset(
    name="paper",
    summary="the report's network, batches and 400 epochs; days of a GPU",
    groups=(),
    samples=6,
    seeds=5,
    steps=6400,
    round_steps=160,
    metric="si_sdr",
    data=_PAPER_DATA,
    config={"size": "base", "optimizer": "sgd", "momentum": 0.9, "weight_decay": 1e-4},
    gates=False,
    at_scale=True,
)
PRESETS = {preset.name: preset for preset in (SMOKE, DEMO, PAPER)}


def learning_rates(preset: Preset) -> list[float]:
    """The same for every candidate, so that trials of one rate share what they have in common.

    A few hundred steps of AdamW want other rates than thousands of SGD. The second is the anchor.
    """
    if preset.config["optimizer"] == "sgd":
        return [0.005, 0.02, 0.05, 0.1]
    return [5e-3, 1e-2]


def in_groups(presets: dict[str, Preset], groups: tuple[str, ...]) -> dict[str, Preset]:
    """The presets for a space that asks once per group."""
    return {name: replace(preset, groups=groups) for name, preset in presets.items()}


def suggest_rate(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The learning rate alone, for the spaces that ask about the contrastive loss and tune nothing else."""
    return {"lr": trial.suggest_categorical("lr", learning_rates(preset))}


def anchor_rate(group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": learning_rates(preset)[1]}


def shared_fields() -> dict[str, Any]:
    """What every space of this method has in common."""
    return {"method": "contrastive_se", "baseline": "normal", "scored": SCORED}
