"""Which layer should be normalized, for each self-supervised upstream?

Candidates: no normalization, an untrained body, and each low layer by itself. Every candidate is tuned by the
learning rates of head and body, and those that normalize by the initial strength k0.
"""

from collections.abc import Sequence

from search_spaces.space import Candidate, Group, Preset, Space
from search_spaces.ssl_presets import baselines, deepest_default, shared_fields, usual_anchor, usual_suggest


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    """`none` and `random` always; layers 1-3, and for waveform bodies at base size also 4."""
    layers = [
        Candidate(label=f"layer{layer}", config={"init": "pretrained", "norm_layers": [layer]})
        for layer in range(1, deepest_default(group, preset) + 1)
    ]
    return [*baselines(), *layers]


NORM_LAYERS = Space(
    name="norm_layers",
    question="Which layer should be normalized, for each self-supervised upstream?",
    candidates=_candidates,
    suggest=usual_suggest,
    anchor=usual_anchor,
    **shared_fields(),
)
