"""A planted answer: a position component inside the reference, which a frame-by-frame loss takes for content.

A fixed vector p_i per frame index i is added to the features of both branches. Added alike it would cancel: the
difference of two branches at equal index is what it is without it. What a front-end can exploit is a component whose
strength follows something cheap in the waveform. So clean speech carries p_i in full, by definition, and an enhanced
wave carries s p_i, where s in [0, 1] is the roughness of the wave: the energy of its first differences over four times
its own energy (clean speech about 0.01 to 0.1, white noise 0.5, a tone at half the sample rate 1).

    compared frame by frame   (1 - s)^2 |p|^2        falls with s: hiss pays, whatever the content
    shifted by q hops         |s p_i - p_{i+q}|^2    = (s^2 + 1) |p|^2 where the p are orthogonal: rises with s
    another speed             the same, but where the alignment meets equal indices: near the start, and at speed 1

So `mse` must make its output rough, which SI-SDR against the clean speech shows, and the cures must not. Used by the
space `position_controls` only. The strength was chosen after a first try: at one deviation of the features the cures
resist, at two soft-DTW aligns the component and no longer the content (docs/position_invariant.md).
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from trainables.base.padding import valid_mask
from trainables.base.randomness import generator
from trainables.position_invariant.reference import Reference

_EPS = 1e-8
_PROBE_SAMPLES = 16_000


class PlantedPosition:
    """The component at one strength, in deviations of each layer's features of white noise."""

    def __init__(self, reference: Reference, strength: float):
        probe = torch.from_numpy(generator(0, "planted position probe").standard_normal(_PROBE_SAMPLES)).float()
        self._scales = [strength * float(layer.std()) for layer in reference.layers(probe)]

    def __call__(self, features: Tensor, layer: int, share: Tensor | None) -> Tensor:
        """Features (batch, frames, channels) with it; `share` (batch,) is s, None = the whole component."""
        vectors = self._scales[layer - 1] * _vectors(features.shape[1], features.shape[2]).to(features)
        return features + (vectors if share is None else share[:, None, None] * vectors)


def roughness(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) -> s, (batch,) in [0, 1]; differentiable, blind to level."""
    valid = valid_mask(wave, lengths)
    differences = (wave * valid).diff(dim=-1) * valid[:, 1:]
    return differences.square().sum(-1) / (4 * (wave * valid).square().sum(-1) + _EPS)


@lru_cache(maxsize=8)
def _vectors(frames: int, channels: int) -> Tensor:
    """(frames, channels) standard normal, each frame's by its index alone."""
    rows = [generator(0, "planted position", index).standard_normal(channels) for index in range(frames)]
    return torch.from_numpy(np.stack(rows)).float()
