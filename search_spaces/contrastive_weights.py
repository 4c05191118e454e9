"""How large should the weight of the contrastive loss be, for BYOL and for SimSiam?

The loss is L_SE + w L_CL with w on a logarithmic grid, 0 being `normal`: the enhancement term keeps its scale, so
that a weight is not a learning rate in disguise. `adaptive` sets it by the ratio of the gradients' norms. Every
candidate, `normal` included, is tuned by the learning rate.
"""

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.contrastive_presets import NORMAL, PRESETS, contrastive_space
from search_spaces.space import Candidate, Group, Preset

_TARGETS = ("byol", "simsiam")


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    weights = (0.1, 0.5, 2.0, 10.0, 50.0) if preset.name == "paper" else (0.5, 10.0)
    weighted = [
        Candidate(label=f"weight_{weight:g}", config={"target": group["target"], "cl_weight": weight})
        for weight in weights
    ]
    adaptive = Candidate(label="adaptive", config={"target": group["target"], "weighting": "balanced"})
    return [NORMAL, *weighted, adaptive]


CONTRASTIVE_WEIGHTS = contrastive_space(
    name="contrastive_weights",
    question="How large should the weight of the contrastive loss be in speech enhancement?",
    group_by="target",
    groups=_TARGETS,
    candidates=_candidates,
    presets={name: replace(preset, groups=_TARGETS) for name, preset in PRESETS.items()},
)
