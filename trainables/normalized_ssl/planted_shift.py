"""A planted answer: a fixed affine per channel that disturbs the noisy branch at one site.

Normalizing that site removes it; a procedure that cannot find it cannot be trusted with a real mismatch. Used by
the space `norm_controls` only.

The shift is large, and was chosen after a first try (docs/experiments/normalized_ssl.md): the control shows that a
large disturbance is found, not how small a one would be.
"""

import torch
from torch import Tensor, nn

from trainables.base.randomness import generator
from trainables.ssl.bodies.body import Body

_WIDEST = 4.0  # scales lie between 1/4 and 4
_SHIFT = 20.0  # deviation of the shifts, in deviations of the site's features
_PROBE_SAMPLES = 16_000


class PlantedShift(nn.Module):
    """The same scales and shifts for every seed, in units of the site's typical deviation."""

    scale: Tensor
    shift: Tensor

    def __init__(self, body: Body, site: int):
        super().__init__()
        rng = generator(0, "planted shift", site)
        channels = body.channels[site]
        scale = torch.from_numpy(_WIDEST ** rng.uniform(-1.0, 1.0, channels)).float()
        shift = torch.from_numpy(rng.normal(0.0, _SHIFT, channels)).float()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift * _typical_deviation(body, site))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channels, frames) -> the same, disturbed."""
        return self.scale[:, None] * features + self.shift[:, None]


@torch.no_grad()
def _typical_deviation(body: Body, site: int) -> Tensor:
    """Mean deviation of the site's channels for white noise at unit RMS."""
    samples = generator(0, "planted shift probe").standard_normal(_PROBE_SAMPLES)
    was_training = body.training
    features = body.eval()(torch.from_numpy(samples).float()[None])[site]
    body.train(was_training)
    return features.std(dim=-1).mean()
