"""Can the collapse monitor be believed? A control: one candidate is made to collapse and must be flagged.

`collapsing` is SimSiam without its stopped gradient and with a contrastive weight that leaves enhancement no say.
"""

from collections.abc import Sequence

from search_spaces.contrastive_presets import PRESETS, anchor_rate, shared_fields, suggest_rate
from search_spaces.space import Candidate, Group, Preset, Space


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    collapsing = {"target": "simsiam", "stop_gradient": False, "cl_weight": 1000.0}
    return [
        Candidate(label="normal", config={"target": "none"}, baseline=True),
        Candidate(label="simsiam", config={"target": "simsiam"}),
        Candidate(label="collapsing", config=collapsing),
    ]


CONTRASTIVE_CONTROLS = Space(
    name="contrastive_controls",
    question="Does the collapse monitor know a collapsed encoder from a healthy one?",
    group_by=None,
    groups=(),
    candidates=_candidates,
    suggest=suggest_rate,
    anchor=anchor_rate,
    presets=PRESETS,
    **shared_fields(),
)
