"""How strong should the normalization of the paper's layer be at first: which k0?"""

from collections.abc import Sequence

from search_spaces.space import Candidate, Group, Preset, Space
from search_spaces.ssl_presets import (
    STRENGTHS,
    baselines,
    paper_layer,
    shared_fields,
    usual_anchor,
    usual_suggest,
)


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    layers = {"init": "pretrained", "norm_layers": paper_layer(group)}
    return [*baselines(), *(Candidate(label=f"k0-{k0:g}", config={**layers, "k0": k0}) for k0 in STRENGTHS)]


NORM_STRENGTH = Space(
    name="norm_strength",
    question="Which initial strength k0 should normalization have, for each upstream?",
    candidates=_candidates,
    suggest=usual_suggest,
    anchor=usual_anchor,
    **shared_fields(),
)
