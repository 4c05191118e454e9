"""Which layer of which self-supervised model should the loss compare?

Each by soft-DTW, single transformer layers and several with equal weights; measured at the last layer for all.
"""

from collections.abc import Sequence

from search_spaces.position_presets import UNTOUCHED, at_base_size, position_space
from search_spaces.space import Candidate, Group, Preset


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    layers = [4, 6, 9, 12] if at_base_size(preset) else [1, 2, 3]
    chosen = {**{f"layer{layer}": [layer] for layer in layers}, "weighted": layers}
    compared = [Candidate(label=label, config={"variant": "softdtw", "layers": own}) for label, own in chosen.items()]
    return [UNTOUCHED, *compared]


POSITION_LAYER = position_space(
    name="position_layer",
    question="Which transformer layer should the loss compare, for each self-supervised model?",
    candidates=_candidates,
    baseline=UNTOUCHED.label,
)
