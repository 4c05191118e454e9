"""How much contrastive loss, for BYOL and for SimSiam?

The loss is L_SE + w L_CL with w on a logarithmic grid, 0 being `normal`: the enhancement term keeps its scale, so
that a weight is not a learning rate in disguise. `adaptive` lets the ratio of the gradients' norms decide. Tuned
within every candidate, `normal` included: the learning rate.
"""

from collections.abc import Sequence

from search_spaces.contrastive_presets import PRESETS, anchor_rate, in_groups, shared_fields, suggest_rate
from search_spaces.space import Candidate, Group, Preset, Space

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


CONTRASTIVE_WEIGHTS = Space(
    name="contrastive_weights",
    question="How much contrastive loss should speech enhancement have?",
    group_by="target",
    groups=_TARGETS,
    candidates=_candidates,
    suggest=suggest_rate,
    anchor=anchor_rate,
    presets=in_groups(PRESETS, _TARGETS),
    published="contrastive_se",
    **shared_fields(),
)
