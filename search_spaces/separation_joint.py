"""How much enhancement training alongside separation: ratio of batches and weight of the loss, against pre-training.

The ratio counts enhancement batches per separation batch; separation updates are the same for all.
"""

from collections.abc import Sequence

from search_spaces.separation import SCRATCH, separation_space
from search_spaces.space import Candidate, Group, Preset


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    joint = {"strategy": "multitask", "pretrain_task": "se"}
    return [
        SCRATCH,
        Candidate(label="se", config={"strategy": "ptft", "pretrain_task": "se"}),
        Candidate(label="ratio1-3", config={**joint, "mtl_ratio": 1 / 3}),
        Candidate(label="ratio1-1", config={**joint, "mtl_ratio": 1.0}),
        Candidate(label="ratio1-1-light", config={**joint, "mtl_ratio": 1.0, "mtl_weight": 0.3}),
        Candidate(label="mama-ratio1-1", config={**joint, "pretrain_task": "mama", "mtl_ratio": 1.0}),
    ]


SEPARATION_JOINT = separation_space(
    name="separation_joint",
    question="How much enhancement should a separator also be trained on, for each network?",
    candidates=_candidates,
)
