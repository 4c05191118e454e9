"""Does a sweep find an answer that is known in advance?

A fixed affine per channel is planted on the noisy branch at layer 2's input, for every candidate alike.
Normalizing layer 2, with full and constant strength, removes it: layer 2 must win. Layer 1 of a waveform body
is the waveform itself, whose gain the first GroupNorm removes: it must tie with `none`.
"""

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.space import Candidate, Group, Preset
from search_spaces.ssl_presets import baselines, normalized, ssl_space

PLANTED_LAYER = 2
_LAYERS = (1, 2, 3)
_FULL = {"k0": 1.0, "k_shape": "constant", "skip_reads": "normalized"}


def _candidates(group: Group, preset: Preset) -> Sequence[Candidate]:
    planted = {"planted_layer": PLANTED_LAYER}
    layers = [normalized(f"layer{layer}", [layer], **_FULL, **planted) for layer in _LAYERS]
    return [*(replace(each, config={**each.config, **planted}) for each in baselines()), *layers]


NORM_CONTROLS = ssl_space(
    name="norm_controls",
    question=f"Control: is the planted layer {PLANTED_LAYER} found, and does a layer without effect tie?",
    candidates=_candidates,
)
