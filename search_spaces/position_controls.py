"""Does a sweep find a position component that is known to be there?

One is planted inside the reference, for every candidate alike (trainables/position_invariant/planted_position.py).
Frame by frame it pays to make the output rough: `mse` must lose SI-SDR by it. Shifted by whole frames, or at another
speed, it does not: `mse_pad` and `softdtw` must lie above `mse`. All train at one rate, or the search would find the
one at which `mse` learns least.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from search_spaces.position_presets import FRAME_BY_FRAME, PRESETS, UNTOUCHED, learning_rates, position_space
from search_spaces.space import Candidate, Config, Group, Preset

if TYPE_CHECKING:
    import optuna

PLANTED = {"planted_position": 1.0}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    cures = [
        Candidate(label="mse_pad", config={"variant": "mse_pad", "pad_side": "left"}),
        Candidate(label="softdtw", config={"variant": "softdtw"}),
    ]
    return [UNTOUCHED, *(replace(each, config={**each.config, **PLANTED}) for each in (FRAME_BY_FRAME, *cures))]


def _rate(preset: Preset) -> float:
    return learning_rates(preset)[-1]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    return {"lr": trial.suggest_categorical("lr", [_rate(preset)])}


POSITION_CONTROLS = position_space(
    name="position_controls",
    question="Control: is a planted position component exploited by mse, and not by the cures?",
    candidates=_candidates,
    suggest=_suggest,
    anchor=lambda group, candidate, preset: {"lr": _rate(preset)},
    presets={name: replace(preset, metric="si_sdr") for name, preset in PRESETS.items()},
)
