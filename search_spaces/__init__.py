"""What to try: one file a space, found by name."""

from functools import lru_cache
from pathlib import Path

from search_spaces.contrastive_controls import CONTRASTIVE_CONTROLS
from search_spaces.contrastive_joint import CONTRASTIVE_JOINT
from search_spaces.contrastive_schedule import CONTRASTIVE_LOW_DATA, CONTRASTIVE_SCHEDULE
from search_spaces.contrastive_weights import CONTRASTIVE_WEIGHTS
from search_spaces.norm_controls import NORM_CONTROLS
from search_spaces.norm_joint import NORM_JOINT
from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.norm_momentum import NORM_MOMENTUM
from search_spaces.norm_schedule import NORM_SCHEDULE
from search_spaces.norm_site import NORM_SITE
from search_spaces.norm_strength import NORM_STRENGTH
from search_spaces.separation_finetuning import SEPARATION_FINETUNING
from search_spaces.separation_joint import SEPARATION_JOINT
from search_spaces.separation_pretraining import SEPARATION_PRETRAINING
from search_spaces.space import Candidate, Preset, Space
from search_spaces.space_file import is_space_file, load_space
from trainables.base.errors import UserError

SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        NORM_LAYERS,
        NORM_STRENGTH,
        NORM_MOMENTUM,
        NORM_SCHEDULE,
        NORM_SITE,
        NORM_JOINT,
        NORM_CONTROLS,
        CONTRASTIVE_SCHEDULE,
        CONTRASTIVE_WEIGHTS,
        CONTRASTIVE_JOINT,
        CONTRASTIVE_LOW_DATA,
        CONTRASTIVE_CONTROLS,
        SEPARATION_PRETRAINING,
        SEPARATION_FINETUNING,
        SEPARATION_JOINT,
    )
}

__all__ = ["SPACES", "Candidate", "Preset", "Space", "find_space"]


@lru_cache
def find_space(name: str) -> Space:
    """The space of that name, or in that Python file; `UserError` lists what there is."""
    if is_space_file(name):
        return load_space(Path(name).expanduser().resolve(), ours=SPACES.values())
    if name not in SPACES:
        raise UserError(
            f"unknown space {name!r}: choose one of {', '.join(sorted(SPACES))} (see --list-spaces), "
            "or give a Python file of your own"
        )
    return SPACES[name]
