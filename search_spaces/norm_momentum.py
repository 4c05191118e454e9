"""Which momentum should the running statistics have?

Momentums as horizons h = 1 / (1 - beta), so that 1 - beta is log-uniform: h_m up to 0.05 T and h_r up to
0.2 T, T steps of budget. A candidate is a bin, short or long for each; values are drawn within it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.space import Candidate, Config, Group, Preset
from search_spaces.ssl_presets import (
    baselines,
    normalized,
    normalizes,
    paper_layer,
    ssl_space,
    usual_anchor,
    usual_suggest,
)

if TYPE_CHECKING:
    import optuna

_LONGEST = {"horizon_m": 0.05, "horizon_r": 0.2}  # as a share of the budget
_BINS = {
    f"means-{means}-ratios-{ratios}": {"horizon_m": means, "horizon_r": ratios}
    for means in ("short", "long")
    for ratios in ("short", "long")
}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    return [*baselines(), *(normalized(label, paper_layer(group)) for label in _BINS)]


def _suggest(trial: "optuna.Trial", group: Group, candidate: Candidate, preset: Preset) -> Config:
    values = usual_suggest(trial, group, candidate, preset)
    if normalizes(candidate):
        for field, half in _BINS[candidate.label].items():
            low, high = _range(field, half, preset)
            values[field] = trial.suggest_float(field, low, high, log=True)
    return values


def _anchor(group: Group, candidate: Candidate, preset: Preset) -> Config:
    """The middle of each bin, on the logarithmic scale."""
    values = usual_anchor(group, candidate, preset)
    if normalizes(candidate):
        for field, half in _BINS[candidate.label].items():
            low, high = _range(field, half, preset)
            values[field] = math.sqrt(low * high)
    return values


def _range(field: str, half: str, preset: Preset) -> tuple[float, float]:
    longest = max(2.0, _LONGEST[field] * preset.steps)
    middle = math.sqrt(longest)
    return (1.0, middle) if half == "short" else (middle, longest)


NORM_MOMENTUM = ssl_space(
    name="norm_momentum",
    question="Which momentum should the running statistics have, for each upstream?",
    candidates=_candidates,
    suggest=_suggest,
    anchor=_anchor,
)
