"""Can the collapse monitor be believed? A control: one candidate is made to collapse and must be flagged.

`collapsing` is SimSiam without its stopped gradient and with a contrastive weight that leaves enhancement no say.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.contrastive_presets import PRESETS, learning_rates
from search_spaces.space import Candidate, Config, Group, Preset, Space

if TYPE_CHECKING:
    import optuna


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    collapsing = {"target": "simsiam", "stop_gradient": False, "cl_weight": 1000.0}
    return [
        Candidate(label="normal", config={"target": "none"}, baseline=True),
        Candidate(label="simsiam", config={"target": "simsiam"}),
        Candidate(label="collapsing", config=collapsing),
    ]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": trial.suggest_categorical("lr", learning_rates(preset))}


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": learning_rates(preset)[1]}


CONTRASTIVE_CONTROLS = Space(
    name="contrastive_controls",
    question="Does the collapse monitor know a collapsed encoder from a healthy one?",
    method="contrastive_se",
    group_by=None,
    groups=(),
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    presets=PRESETS,
    baseline="normal",
)
