"""Does the collapse monitor work? A control: one candidate is made to collapse and must be flagged.

`collapsing` is SimSiam without the stopped gradient, its contrastive weight so large that enhancement hardly counts.
"""

from collections.abc import Sequence

from search_spaces.contrastive_presets import NORMAL, contrastive_space
from search_spaces.space import Candidate, Group, Preset


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    collapsing = {"target": "simsiam", "stop_gradient": False, "cl_weight": 1000.0}
    return [
        NORMAL,
        Candidate(label="simsiam", config={"target": "simsiam"}),
        Candidate(label="collapsing", config=collapsing),
    ]


CONTRASTIVE_CONTROLS = contrastive_space(
    name="contrastive_controls",
    question="Control: does the collapse monitor tell a collapsed encoder from a healthy one?",
    candidates=_candidates,
    published=None,
)
