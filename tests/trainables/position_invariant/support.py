"""What these tests share: untrained parts of tiny size, and waves."""

from typing import Any

import torch
from torch import Tensor

from trainables.position_invariant.config import PositionInvariantConfig
from trainables.position_invariant.front_ends import build_front_end, pack_front_end
from trainables.position_invariant.method import PositionInvariant, build
from trainables.position_invariant.reference import Reference
from trainables.ssl.bodies.upstreams import build_body, pack_body


def config(**values: Any) -> PositionInvariantConfig:
    return PositionInvariantConfig.from_dict(values)


def artifacts(settings: PositionInvariantConfig) -> dict[str, bytes]:
    """Of an untrained front-end and an untrained reference."""
    return {
        "front_end": pack_front_end(build_front_end(settings.front_end_fields(), 3)),
        "pretraining": pack_body(build_body(settings.ssl, 5)),
    }


def method(**values: Any) -> PositionInvariant:
    settings = config(**values)
    return build(settings, artifacts(settings), seed=1)


def reference(**values: Any) -> Reference:
    settings = config(**values)
    return Reference(settings.ssl, artifacts(settings)["pretraining"], settings.compared_layers)


def voices(batch: int = 2, samples: int = 8000, seed: int = 0) -> Tensor:
    """(batch, samples): harmonics of different pitch that come and go, so that frames differ."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16_000
    pitches = 100 + 150 * torch.rand(batch, generator=generator)
    rates = 2 + 6 * torch.rand(batch, generator=generator)
    waves = [
        sum(torch.sin(2 * torch.pi * pitch * number * time) / number for number in range(1, 9))
        * torch.sin(2 * torch.pi * rate * time + pitch).clamp(min=0.05)
        for pitch, rate in zip(pitches, rates, strict=True)
    ]
    return 0.1 * torch.stack(waves) + 1e-4 * torch.randn(batch, samples, generator=generator)


def noise(batch: int = 2, samples: int = 8000, seed: int = 0) -> Tensor:
    return 0.05 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed))
