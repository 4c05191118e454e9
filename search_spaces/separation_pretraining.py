"""Which pre-training gives the better separator: SE, MAMA or CC, or enhancement alongside separation?

Every candidate makes the same number of separation updates; `scratch` is the baseline.
"""

from collections.abc import Sequence

from search_spaces.separation import SCRATCH, separation_space
from search_spaces.space import Candidate, Group, Preset


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    tasks = [Candidate(label=task, config={"strategy": "ptft", "pretrain_task": task}) for task in ("se", "mama", "cc")]
    multitask = Candidate(label="multitask", config={"strategy": "multitask", "pretrain_task": "se"})
    return [SCRATCH, *tasks, multitask]


SEPARATION_PRETRAINING = separation_space(
    name="separation_pretraining",
    question="Which pre-training gives the better separator, for each network?",
    candidates=_candidates,
)
