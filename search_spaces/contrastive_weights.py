"""How much contrastive loss, for BYOL and for SimSiam?

The loss is L_SE + w L_CL with w on a logarithmic grid, 0 being `normal`: the enhancement term keeps its scale, so
that a weight is not a learning rate in disguise. `adaptive` lets the ratio of the gradients' norms decide. Tuned
within every candidate, `normal` included: the learning rate.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.contrastive_presets import PRESETS, in_groups, learning_rates
from search_spaces.space import Candidate, Config, Group, Preset, Space

if TYPE_CHECKING:
    import optuna

_TARGETS = ("byol", "simsiam")


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    weights = (0.1, 0.5, 2.0, 10.0, 50.0) if preset.name == "paper" else (0.5, 10.0)
    weighted = [
        Candidate(label=f"weight_{weight:g}", config={"target": group["target"], "cl_weight": weight})
        for weight in weights
    ]
    adaptive = {"target": group["target"], "weighting": "balanced"}
    return [
        Candidate(label="normal", config={"target": "none"}, baseline=True),
        *weighted,
        Candidate(label="adaptive", config=adaptive),
    ]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": trial.suggest_categorical("lr", learning_rates(preset))}


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": learning_rates(preset)[1]}


CONTRASTIVE_WEIGHTS = Space(
    name="contrastive_weights",
    question="How much contrastive loss should speech enhancement have?",
    method="contrastive_se",
    group_by="target",
    groups=_TARGETS,
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
    presets=in_groups(PRESETS, _TARGETS),
    baseline="normal",
    extra_metrics=("nb_pesq",),
    published="contrastive_se",
)
