"""What the reference says of estimates: near the clean features, and free of position?

At the last transformer layer, whichever layers a candidate was trained on, so that candidates compare; distances and
cosines also at every layer. A component that is planted while training has no part in it.
"""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from trainables.audio.speed import at_speed
from trainables.position_invariant.config import FRAME_HOP
from trainables.position_invariant.reference import Reference, level_gain
from trainables.ssl import representation

SHIFT = 8  # frames of zeros before a clip, 160 ms
SPEEDS = (0.8, 1.2)
_SAME = 0.999  # correlation


@torch.no_grad()
def measured(
    reference: Reference, pairs: Sequence[tuple[Tensor, Tensor]], wanted: Collection[str], again: bool = False
) -> list[dict[str, float]]:
    """Per pair of an estimate and its clean clip, (samples,) each, the measures of those names.

    The same clean clips come `again` in the next round: their features are kept.
    `shortcut_index` is that of the clip among all others, those of the same clean clip (at other SNRs) left out. It is
    absent where there are no others; clips of a single frame, or not finite, have none and are no others.
    """
    clean_layers = reference.clean_layers if again else reference.layers
    rows: list[dict[str, float]] = []
    last_layers: list[Tensor] = []
    cleans: list[Tensor] = []
    for estimate, clean in pairs:
        gain = level_gain(clean[None])[0]
        estimate, clean = gain * estimate, gain * clean
        own, wished = reference.layers(estimate), clean_layers(clean)
        row = _near(own, wished)
        if not {"shift_excess", "shift_floor"}.isdisjoint(wanted):
            moved = functional.pad(estimate, (SHIFT * FRAME_HOP, 0)), functional.pad(clean, (SHIFT * FRAME_HOP, 0))
            features = reference.layers(moved[0])[-1], own[-1], clean_layers(moved[1])[-1], wished[-1]
            shift = representation.position_shift(*features, SHIFT)
            row |= {"shift_excess": shift.excess, "shift_floor": shift.floor}
        if "speed_error" in wanted:
            row["speed_error"] = _speed_error(reference, estimate, wished[-1])
        rows.append({name: value for name, value in row.items() if name in wanted})
        last_layers.append(own[-1])
        cleans.append(clean)
    if "shortcut_index" in wanted:
        usable = [place for place, each in enumerate(last_layers) if len(each) > 1 and each.isfinite().all()]
        contents = contents_of([cleans[place] for place in usable])
        if len(set(contents)) > 1:
            indices = representation.shortcut_indices([last_layers[place] for place in usable], contents)
            for place, index in zip(usable, indices, strict=True):
                rows[place]["shortcut_index"] = index
    return rows


def contents_of(cleans: Sequence[Tensor]) -> list[int]:
    """For each clean clip, (samples,) of unit power, the place of the first that is the same, its own where none is.

    An evaluation set may hold an utterance at several SNRs, and a mixture near full scale is scaled down with its
    clean clip; so clips are the same where their correlation is one.
    """
    found: list[int] = []
    for place, clean in enumerate(cleans):
        earlier = (first for first in sorted(set(found)) if len(cleans[first]) == len(clean))
        same = (first for first in earlier if float(cleans[first] @ clean) > _SAME * len(clean))
        found.append(next(same, place))
    return found


def _near(own: Sequence[Tensor], wished: Sequence[Tensor]) -> dict[str, float]:
    row = {}
    for layer, (features, clean) in enumerate(zip(own, wished, strict=True), start=1):
        row[f"ssl_distance_{layer}"] = float(representation.frame_distance(features, clean))
        row[f"ssl_cosine_{layer}"] = float(representation.frame_cosine(features, clean))
    last = len(own)
    return row | {name: row[f"{name}_{last}"] for name in ("ssl_distance", "ssl_cosine")}


def _speed_error(reference: Reference, estimate: Tensor, wished: Tensor) -> float:
    errors = [representation.speed_error(reference.layers(at_speed(estimate, speed))[-1], wished) for speed in SPEEDS]
    return sum(errors) / len(errors)
