"""How should the strength k decay, and when should it reach 0?

Candidates: each shape, ending early (30-60 % of the budget) or late (60-95 %); `constant` never ends. Within
each, the search draws the end itself, how long k is held first, and the exponent of `poly`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.space import Candidate, Config, Group, Preset
from search_spaces.ssl_presets import baselines, normalized, paper_layer, ssl_space, usual_anchor, usual_suggest

if TYPE_CHECKING:
    import optuna

_SHAPES = ("linear", "cosine", "exp", "step", "poly")
_ENDS = {"early": (0.3, 0.6), "late": (0.6, 0.95)}
_LONGEST_HOLD = 0.3
_POWERS = (0.5, 2.0)


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    layers = paper_layer(group)
    falling = [normalized(f"{shape}-{end}", layers, k_shape=shape) for shape in _SHAPES for end in _ENDS]
    return [*baselines(), *falling, normalized("constant", layers, k_shape="constant")]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = usual_suggest(trial, group, candidate, preset)
    end = _end(candidate)
    if end is not None:
        values["k_end"] = trial.suggest_float("k_end", *end)
        values["k_hold"] = trial.suggest_float("k_hold", 0.0, _LONGEST_HOLD)
    if candidate.config.get("k_shape") == "poly":
        values["k_power"] = trial.suggest_categorical("k_power", _POWERS)
    return values


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The middle of the bin; late is the paper's "close to convergence"."""
    values = usual_anchor(group, candidate, preset)
    end = _end(candidate)
    if end is not None:
        values |= {"k_end": 0.9 if end == _ENDS["late"] else 0.45, "k_hold": 0.0}
    if candidate.config.get("k_shape") == "poly":
        values["k_power"] = 2.0
    return values


def _end(candidate: Candidate) -> tuple[float, float] | None:
    return _ENDS.get(candidate.label.rsplit("-", 1)[-1])


NORM_SCHEDULE = ssl_space(
    name="norm_schedule",
    question="How should the strength k decay, and when should it reach 0, for each upstream?",
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
)
