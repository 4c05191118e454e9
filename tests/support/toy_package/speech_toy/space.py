"""Does the aid help the toy, and does a filter that was there before?"""

from typing import TYPE_CHECKING

from search_spaces.space import Candidate, Config, Group, Preset, Space
from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import EVERYDAY

if TYPE_CHECKING:
    import optuna


def _candidates(group: Group, preset: Preset) -> list[Candidate]:
    return [
        Candidate(label="none", config={"strength": 0.0}, baseline=True),
        Candidate(label="strong", config={"strength": 0.5}),
        Candidate(label="pretrained", config={"strength": 0.0, "pretrained": True}),
    ]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": trial.suggest_float("lr", 1e-3, 1e-2, log=True)}


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": 3e-3}


TOY_STRENGTH = Space(
    name="toy_strength",
    question="Does the aid help the toy?",
    method="toy",
    group_by="flavour",
    groups=("plain", "sharp"),
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    scored=(*EVERYDAY, "toy_level", "toy_filter_distance"),
    presets={
        "smoke": Preset(
            name="smoke",
            summary="everything once; scores mean nothing",
            groups=("plain",),
            samples=1,
            seeds=2,
            steps=8,
            round_steps=2,
            metric="si_sdr",
            data=DataSettings(batch=2, crop_seconds=0.5, valid_seconds=3, test_seconds=3, evaluation_clip_seconds=1.0),
            meaningful=False,
        )
    },
)
