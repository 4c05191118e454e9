"""How strong should the normalization of the paper's layer be at first: which k0?"""

from collections.abc import Sequence

from search_spaces.space import Candidate, Group, Preset
from search_spaces.ssl_presets import STRENGTHS, baselines, normalized, paper_layer, ssl_space


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    return [*baselines(), *(normalized(f"k0-{k0:g}", paper_layer(group), k0=k0) for k0 in STRENGTHS)]


NORM_STRENGTH = ssl_space(
    name="norm_strength",
    question="Which initial strength k0 should normalization have, for each upstream?",
    candidates=_candidates,
)
