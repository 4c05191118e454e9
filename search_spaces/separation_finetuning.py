"""How long to pre-train on enhancement, which layers to re-initialize, and does feature normalization help?

All candidates but `scratch` rest on the same pre-training run: a shorter one is an earlier point of it.
"""

from collections.abc import Sequence

from search_spaces.separation import SCRATCH, separation_space
from search_spaces.space import Candidate, Group, Preset


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    steps = preset.config["pretraining_steps"]
    tuned = {"strategy": "ptft", "pretrain_task": "se"}
    variants = {
        "half": {"pretraining_steps": steps // 2},
        "full": {"pretraining_steps": steps},
        "full+mask_net": {"pretraining_steps": steps, "reinit": "mask_net"},
        "full+clone": {"pretraining_steps": steps, "reinit": "clone"},
        "full+norm": {"pretraining_steps": steps, "norm_blocks": [1]},
    }
    return [
        SCRATCH,
        *(Candidate(label=label, config={**tuned, **config}) for label, config in variants.items()),
    ]


SEPARATION_FINETUNING = separation_space(
    name="separation_finetuning",
    question="How long to pre-train a separator, which layers to re-initialize, for each network?",
    candidates=_candidates,
)
