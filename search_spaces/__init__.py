"""What to try: one file a space, found by name."""

from search_spaces.norm_controls import NORM_CONTROLS
from search_spaces.norm_joint import NORM_JOINT
from search_spaces.norm_layers import NORM_LAYERS
from search_spaces.norm_momentum import NORM_MOMENTUM
from search_spaces.norm_schedule import NORM_SCHEDULE
from search_spaces.norm_site import NORM_SITE
from search_spaces.norm_strength import NORM_STRENGTH
from search_spaces.space import Candidate, Preset, Space
from trainables.errors import UserError

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
    )
}

__all__ = ["SPACES", "Candidate", "Preset", "Space", "find_space"]


def find_space(name: str) -> Space:
    """The space of that name; `UserError` lists what there is."""
    if name not in SPACES:
        raise UserError(
            f"unknown space {name!r}: choose one of {', '.join(sorted(SPACES))} (see --list-spaces)"
        )
    return SPACES[name]
