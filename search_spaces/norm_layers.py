"""Which layer should be normalized, for each self-supervised upstream?

Candidates: no normalization, an untrained body, and each low layer by itself. Every candidate is tuned by the
learning rates of head and body, and those that normalize by the initial strength k0.
"""

from collections.abc import Sequence

from search_spaces.space import Candidate, Group, Preset
from search_spaces.ssl_presets import baselines, deepest_default, normalized, ssl_space


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    """`none` and `random` always; layers 1-3, and for waveform bodies at base size also 4."""
    layers = range(1, deepest_default(group, preset) + 1)
    return [*baselines(), *(normalized(f"layer{layer}", [layer]) for layer in layers)]


NORM_LAYERS = ssl_space(
    name="norm_layers",
    question="Which layer should be normalized, for each self-supervised upstream?",
    candidates=_candidates,
)
