"""What the three questions about separation share: presets, nuisance values, candidates.

Tuned within every candidate, baselines included, is the learning rate alone, over the same range.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.space import Candidate, Config, Group, Preset
from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import SEPARATION

if TYPE_CHECKING:
    import optuna

MODELS = ("convtasnet", "dprnn", "dptnet")
SCRATCH = Candidate(label="scratch", config={"strategy": "scratch"}, baseline=True)


def suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": trial.suggest_categorical("lr", learning_rates(preset))}


def anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The paper's rate at its scale; a few hundred steps want a higher one."""
    return {"lr": 1e-3 if preset.name in ("small", "paper") else 2e-3}


def learning_rates(preset: Preset) -> list[float]:
    return [3e-4, 1e-3, 2e-3] if preset.name in ("small", "paper") else [1e-3, 2e-3, 4e-3]


def presets(smoke_groups: Sequence[str] = ("convtasnet",)) -> dict[str, Preset]:
    """The presets of a question asked per network."""
    smoke = Preset(
        name="smoke",
        summary="does everything once in two minutes; scores mean nothing",
        groups=tuple(smoke_groups),
        samples=1,
        seeds=2,
        steps=4,
        round_steps=2,
        metric="si_sdri",
        data=DataSettings(
            batch=2, crop_seconds=0.5, valid_seconds=4, test_seconds=4, evaluation_clip_seconds=1.0
        ),
        config={
            "size": "tiny",
            "pretraining_steps": 4,
            "pretraining_stretch": 2,
            "observed_mixtures": 4,
            "observed_seconds": 0.5,
        },
        meaningful=False,
    )
    demo = Preset(
        name="demo",
        summary="an honest small experiment on a CPU, about fifteen minutes on two cores",
        groups=("convtasnet",),
        samples=2,
        seeds=3,
        steps=240,
        round_steps=30,
        metric="si_sdri",
        data=DataSettings(batch=4, crop_seconds=1.5, valid_seconds=40, test_seconds=80),
        config={
            "size": "tiny",
            "pretraining_steps": 240,
            "pretraining_stretch": 120,
            "pretraining_batch": 6,
            "observed_mixtures": 40,
            "observed_seconds": 2.0,
        },
    )
    paper = Preset(
        name="paper",
        summary="the published networks, batch and crop (wants a GPU and LibriMix or wsj0-2mix)",
        groups=("convtasnet", "dprnn", "dptnet"),
        samples=3,
        seeds=3,
        steps=58_000,  # 100 epochs of Libri2Mix train-100 at batch 24
        round_steps=580,
        metric="si_sdri",
        data=DataSettings(
            batch=24,
            crop_seconds=3.0,
            valid_seconds=7200,
            test_seconds=39_600,
            evaluation_clip_seconds=60.0,
        ),
        config={
            "size": "paper",
            "pretraining_steps": 42_400,  # 20 epochs of Libri1Mix train-360 at batch 24
            "pretraining_stretch": 21_200,
            "pretraining_batch": 24,
            "pretraining_crop_seconds": 3.0,
            "mtl_ratio": 3.65,
            "observed_mixtures": 2000,
        },
        at_scale=True,
    )
    return {preset.name: preset for preset in (smoke, demo, paper)}


def shared_fields() -> dict[str, Any]:
    """What every space of this method has in common."""
    return {
        "method": "separation",
        "group_by": "model",
        "groups": MODELS,
        "suggest": suggest,
        "anchor": anchor,
        "presets": presets(),
        "baseline": "scratch",
        "scored": SEPARATION,
        "published": "separation",
    }
