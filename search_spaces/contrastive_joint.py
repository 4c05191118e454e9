"""How good can each kind of training get with everything tuned: normal, BYOL or SimSiam?

The optimizer is tuned over the same ranges for all three; the contrastive weight, its schedule and its target are
tuned within the two that have them. Every candidate gets the same number of trials.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.contrastive_presets import NORMAL, contrastive_space
from search_spaces.space import Candidate, Config, Group, Preset

if TYPE_CHECKING:
    import optuna

_PERIODS = [1 / 16, 1 / 8, 1 / 4, 1 / 2]  # shares of the budget


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    return [
        NORMAL,
        Candidate(label="byol", config={"target": "byol"}),
        Candidate(label="simsiam", config={"target": "simsiam"}),
    ]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = _suggest_optimizer(trial, preset)
    target = candidate.config["target"]
    if target != "none":
        values |= _suggest_contrastive(trial)
    if target == "byol":
        values["tau"] = trial.suggest_categorical("tau", _taus(preset))
    return values


def _suggest_optimizer(trial: "optuna.Trial", preset: Preset) -> Config:
    lowest, highest = _learning_rates(preset)
    values: Config = {
        "lr": trial.suggest_float("lr", lowest, highest, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-3, log=True),
    }
    if preset.config["optimizer"] == "sgd":
        values["momentum"] = trial.suggest_categorical("momentum", [0.8, 0.9, 0.95])
    return values


def _suggest_contrastive(trial: "optuna.Trial") -> Config:
    schedule = trial.suggest_categorical("schedule", ["full", "round", "pretrain", "anneal"])
    values: Config = {
        "schedule": schedule,
        "cl_weight": trial.suggest_float("cl_weight", 0.1, 50.0, log=True),
        "similarity": trial.suggest_categorical("similarity", ["frame", "pooled"]),
    }
    if schedule != "full":
        values["cl_floor"] = trial.suggest_categorical("cl_floor", [0.0, 0.05, 0.1, 0.3])
    if schedule == "round":
        values["round_period"] = trial.suggest_categorical("round_period", _PERIODS)
    if schedule == "pretrain":
        values["pretrain_share"] = trial.suggest_categorical("pretrain_share", _PERIODS)
    return values


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The report's setting, at the geometric middle of the rates."""
    lowest, highest = _learning_rates(preset)
    values: Config = {"lr": (lowest * highest) ** 0.5, "weight_decay": 1e-4}
    if preset.config["optimizer"] == "sgd":
        values["momentum"] = 0.9
    target = candidate.config["target"]
    if target != "none":
        values |= {"schedule": "full", "cl_weight": 10.0, "similarity": "frame"}
    if target == "byol":
        values["tau"] = _taus(preset)[1]
    return values


def _learning_rates(preset: Preset) -> tuple[float, float]:
    return (5e-4, 0.2) if preset.config["optimizer"] == "sgd" else (1e-4, 2e-2)


def _taus(preset: Preset) -> list[float]:
    """Horizons 1 / (1 - tau) from 3 steps to 0.3 of the budget, evenly on a logarithmic scale."""
    longest = max(6.0, 0.3 * preset.steps)
    horizons = [3.0 * (longest / 3.0) ** (n / 3) for n in range(4)]
    return [round(1.0 - 1.0 / horizon, 6) for horizon in horizons]


CONTRASTIVE_JOINT = contrastive_space(
    name="contrastive_joint",
    question="Does contrastive learning help speech enhancement when everything is tuned?",
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
)
