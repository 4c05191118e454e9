"""What to try: one file per space, found by name."""

from functools import lru_cache
from pathlib import Path

from search_spaces.space import Candidate, Preset, Space
from search_spaces.space_file import check_space, is_space_file, load_space
from trainables.base.errors import UserError
from trainables.base.paths import absolute
from trainables.base.plugins import Registry

SPACES = Registry(
    "spaces",
    Space,
    {
        "norm_layers": "search_spaces.norm_layers:NORM_LAYERS",
        "norm_strength": "search_spaces.norm_strength:NORM_STRENGTH",
        "norm_momentum": "search_spaces.norm_momentum:NORM_MOMENTUM",
        "norm_schedule": "search_spaces.norm_schedule:NORM_SCHEDULE",
        "norm_site": "search_spaces.norm_site:NORM_SITE",
        "norm_joint": "search_spaces.norm_joint:NORM_JOINT",
        "norm_rivals": "search_spaces.norm_rivals:NORM_RIVALS",
        "norm_controls": "search_spaces.norm_controls:NORM_CONTROLS",
        "contrastive_schedule": "search_spaces.contrastive_schedule:CONTRASTIVE_SCHEDULE",
        "contrastive_weights": "search_spaces.contrastive_weights:CONTRASTIVE_WEIGHTS",
        "contrastive_joint": "search_spaces.contrastive_joint:CONTRASTIVE_JOINT",
        "contrastive_low_data": "search_spaces.contrastive_schedule:CONTRASTIVE_LOW_DATA",
        "contrastive_controls": "search_spaces.contrastive_controls:CONTRASTIVE_CONTROLS",
        "position_invariance": "search_spaces.position_invariance:POSITION_INVARIANCE",
        "position_softdtw": "search_spaces.position_softdtw:POSITION_SOFTDTW",
        "position_layer": "search_spaces.position_layer:POSITION_LAYER",
        "position_controls": "search_spaces.position_controls:POSITION_CONTROLS",
        "separation_pretraining": "search_spaces.separation_pretraining:SEPARATION_PRETRAINING",
        "separation_finetuning": "search_spaces.separation_finetuning:SEPARATION_FINETUNING",
        "separation_joint": "search_spaces.separation_joint:SEPARATION_JOINT",
        "label_assignment": "search_spaces.label_assignment:LABEL_ASSIGNMENT",
        "systems": "search_spaces.systems:SYSTEMS",
        "systems_paired": "search_spaces.systems:SYSTEMS_PAIRED",
    },
)

__all__ = ["SPACES", "Candidate", "Preset", "Space", "find_space"]


@lru_cache
def find_space(name: str) -> Space:
    """The space of that name, or in that Python file; `UserError` lists what there is."""
    if is_space_file(name):
        return load_space(absolute(name, Path.cwd()), ours=SPACES)
    if name not in SPACES:
        raise UserError(
            f"unknown space {name!r}: choose one of {', '.join(sorted(SPACES))} (see --list-spaces), "
            "or give a Python file of your own"
        )
    space, package = SPACES[name], SPACES.added_by(name)
    if package:
        check_space(space, f"space {name} of package {package}")
    return space
