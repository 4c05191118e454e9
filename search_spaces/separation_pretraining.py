"""Which pre-training makes a better separator: SE, MAMA or CC, or enhancement beside separation?

Every candidate makes the same number of separation updates; `scratch` is the baseline.
"""

from collections.abc import Sequence

from search_spaces import separation
from search_spaces.space import Candidate, Group, Preset, Space


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    tasks = [
        Candidate(label=task, config={"strategy": "ptft", "pretrain_task": task})
        for task in ("se", "mama", "cc")
    ]
    beside = Candidate(label="multitask", config={"strategy": "multitask", "pretrain_task": "se"})
    return [separation.SCRATCH, *tasks, beside]


SEPARATION_PRETRAINING = Space(
    name="separation_pretraining",
    question="Which pre-training makes a better separator, for each network?",
    candidates=_candidates,
    **separation.shared_fields(),
)
