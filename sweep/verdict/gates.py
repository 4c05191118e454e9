"""Is the question meaningful at this size? Gates, from the measurements of the method's gate stages.

The transfer gap shows whether pre-training helps at all: the head's score on the frozen pretrained body minus
that on the frozen random body. The mismatch shows whether noisy and clean features differ at a site, so that
there is something to normalize away. Without both, "which layer is best" has no answer. The position component shows
whether a reference's features carry their position at all. A method measures those that its question needs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sweep.verdict import crossed_effects
from sweep.verdict.comparisons import Difference
from sweep.verdict.paired_scores import speaker_means, unit_of
from sweep.verdict.result import Estimate, GateVerdict, LayerPosition, SiteMismatch


def interpretable(
    transfer_gap: Mapping[str, Any] | None = None,
    mismatch: Sequence[Mapping[str, Any]] | None = None,
    position: Sequence[Mapping[str, Any]] | None = None,
    alpha: float = 0.05,
) -> GateVerdict:
    """The gates that were measured, with their verdict.

    `transfer_gap` has "pretrained" and "random", each (seeds, utterances) in dB, None or NaN where a score
    failed; seeds and utterances in the same order, and, where known, "speakers", one per utterance: with ten
    or more of them they are the unit. `mismatch` has one {"site", "value", "interval"} per site, `position` one
    {"layer", "value", "interval"} per layer, None where there are too few utterances.
    All must be above zero beyond their intervals: the gap, and the others at one site or layer at least.
    `reasons` lists the gates that failed.
    """
    found: GateVerdict = {"interpretable": True, "reasons": []}
    reasons = found["reasons"]
    if transfer_gap is not None:
        gap = found["transfer_gap"] = _gap(transfer_gap, alpha)
        if gap["interval"] is None:
            reasons.append("the transfer gap has no interval: it needs 2 seeds and 2 utterances")
        elif gap["interval"][0] <= 0:
            reasons.append("pre-training is not shown to help: the transfer gap is not above zero")
    if mismatch is not None:
        found["mismatch"] = [
            SiteMismatch(site=row["site"], value=float(row["value"]), interval=_floats(row["interval"]))
            for row in mismatch
        ]
        if not any(_above_zero(row["interval"]) for row in mismatch):
            reasons.append("no site shows a mismatch between noisy and clean features")
    if position is not None:
        found["position"] = [
            LayerPosition(layer=row["layer"], value=row["value"], interval=_floats(row["interval"])) for row in position
        ]
        if all(row["interval"] is None for row in position):
            reasons.append("the position component has no interval: it needs 3 utterances on valid")
        elif not any(_above_zero(row["interval"]) for row in position):
            reasons.append("no layer's features of clean speech show a position component that could be removed")
    found["interpretable"] = not reasons
    return found


def _gap(scores: Mapping[str, Any], alpha: float) -> Estimate:
    both = np.array([np.asarray(scores[body], dtype=float) for body in ("pretrained", "random")])
    scored = np.logical_and.reduce(np.isfinite(both), axis=(0, 1))
    both = both[..., scored]
    speakers = np.asarray(scores.get("speakers", []), dtype=str)
    if not both.size:
        return {"value": None, "interval": None}
    if unit_of(speakers) == "speaker":
        both = speaker_means(both, speakers[scored])
    effects = crossed_effects.of_differences(both)
    gap = Difference(float((both[0] - both[1]).mean()), () if effects is None else (effects,))
    return {"value": gap.value, "interval": _floats(gap.interval(alpha))}


def _floats(interval: Sequence[float] | None) -> list[float] | None:
    return None if interval is None else [float(end) for end in interval]


def _above_zero(interval: Sequence[float] | None) -> bool:
    """A mismatch is a squared distance: an interval wholly below zero is chance, not a difference."""
    return interval is not None and interval[0] > 0
