"""Which way of keeping position out of the loss is best, for each self-supervised reference?

Candidates: the front-end as it was pre-trained, the frame-by-frame MSE that the cures are measured against, without and
with frames of unit length, zero padding, soft-DTW between different speeds, and linear interpolation in its place.
"""

from collections.abc import Sequence

from search_spaces.position_presets import FRAME_BY_FRAME, UNTOUCHED, position_space, usual_anchor, usual_suggest
from search_spaces.space import Candidate, Group, Preset


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    return [
        UNTOUCHED,
        FRAME_BY_FRAME,
        Candidate(label="mse_l2", config={"variant": "mse", "l2norm": "on"}),
        Candidate(label="mse_pad", config={"variant": "mse_pad"}),
        Candidate(label="softdtw", config={"variant": "softdtw"}),
        Candidate(label="mse_speed_interp", config={"variant": "mse_speed_interp", "l2norm": "on"}),
    ]


POSITION_INVARIANCE = position_space(
    name="position_invariance",
    question="Which loss keeps position out of the fine-tuning through a self-supervised model?",
    candidates=_candidates,
    suggest=usual_suggest,
    anchor=usual_anchor,
)
