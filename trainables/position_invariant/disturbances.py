"""What shifts one branch against the other: zeros before and after it, or another speed and pitch.

Draws come from numbers that the step's own seed fixes, one generator per purpose, so that a variant's draws do not
depend on which others there are.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.audio.pitch import shifted_pitch
from trainables.audio.speed import at_speed, samples_at
from trainables.base.padding import valid_mask
from trainables.base.randomness import generator
from trainables.position_invariant.config import FRAME_HOP, PositionInvariantConfig


class Draws:
    """The random numbers of one step, from the global generators that the session seeds at every step."""

    def __init__(self) -> None:
        self._seed = int(torch.randint(2**62, ()))

    def of(self, purpose: str) -> np.random.Generator:
        return generator(self._seed, purpose)


@dataclass(frozen=True)
class Padding:
    """Frames of zeros before and after each item, (batch,) whole numbers."""

    left: Tensor
    right: Tensor


def draw_padding(config: PositionInvariantConfig, samples: Tensor, draws: Draws) -> Padding:
    """For items of `samples` (batch,): p uniform in [pad_min, pad_max], in all max(1, round(p T / 320)) frames.

    "split" puts 0 to all of them, evenly drawn, on the left; p = 0 is no padding.
    """
    rng = draws.of("padding")
    left, right = [], []
    for length in samples.tolist():
        share = rng.uniform(config.pad_min, config.pad_max)
        frames = max(1, round(share * length / FRAME_HOP)) if share > 0 else 0
        before = {"split": int(rng.integers(frames + 1)), "left": frames, "right": 0}[config.pad_side]
        left.append(before)
        right.append(frames - before)
    return Padding(torch.tensor(left), torch.tensor(right))


def padded(wave: Tensor, samples: Tensor, padding: Padding) -> tuple[Tensor, Tensor]:
    """(batch, samples) with each item's zeros, which are part of it, and the items' lengths (batch,)."""
    lengths = samples.cpu() + FRAME_HOP * (padding.left + padding.right)
    longest = int(lengths.max())
    items = []
    for item, count, before in zip(wave, samples.tolist(), (FRAME_HOP * padding.left).tolist(), strict=True):
        items.append(functional.pad(item[:count], (before, longest - before - count)))
    return torch.stack(items), lengths


def unshifted(features: Tensor, padding: Padding, frames: int) -> Tensor:
    """(batch, frames + q, channels) of padded items -> (batch, frames, channels) that start where the items do."""
    place = padding.left[:, None].to(features.device) + torch.arange(frames, device=features.device)
    place = place.clamp(max=features.shape[1] - 1)
    return features.gather(1, place[:, :, None].expand(-1, -1, features.shape[2]))


def guarded(valid: Tensor, counts: Tensor, padding: Padding, guard: int) -> Tensor:
    """`valid` (batch, frames) without the `guard` frames next to zeros, whose fields of view hold some.

    Items too short to leave a frame keep all of theirs.
    """
    place = torch.arange(valid.shape[1], device=valid.device)[None, :]
    first = (guard * (padding.left > 0))[:, None].to(valid.device)
    last = (counts.cpu() - guard * (padding.right > 0))[:, None].to(valid.device)
    kept = valid * ((place >= first) & (place < last))
    return torch.where(kept.sum(-1, keepdim=True) > 0, kept, valid)


def draw_speed(config: PositionInvariantConfig, draws: Draws) -> float:
    """One speed for the whole batch: from the list, or any hundredth between its ends."""
    rng = draws.of("speed")
    if config.speeds is None:
        return round(float(rng.uniform(config.speed_low, config.speed_high)), 2)
    return float(config.speeds[rng.integers(len(config.speeds))])


def draw_semitones(config: PositionInvariantConfig, draws: Draws) -> float:
    """Up or down with equal chance."""
    return config.pitch_semitones * (1.0 if draws.of("pitch").random() < 0.5 else -1.0)


def changed(wave: Tensor, samples: Tensor, speed: float, semitones: float) -> tuple[Tensor, Tensor]:
    """(batch, samples) at the speed, its pitch moved, and the new lengths (batch,); differentiable.

    In float32 under autocast, too: filters of halves would put noise 50 dB below the wave.
    """
    with torch.autocast(wave.device.type, enabled=False):
        faster = at_speed(wave.float(), speed)
        moved = shifted_pitch(faster, semitones) if semitones else faster
    lengths = [min(samples_at(speed, count), moved.shape[-1]) for count in samples.tolist()]
    return moved, torch.tensor(lengths)


def in_noise(speech: Tensor, lengths: Tensor, noise: Tensor, samples: Tensor) -> Tensor:
    """(batch, samples) speech, `lengths` (batch,) of it valid, in noise of which `samples` (batch,) are.

    The noise keeps its own speed, as in the authors' noise-robust code; one that is too short is looped.
    """
    place = torch.arange(speech.shape[1], device=noise.device) % samples.to(noise.device)[:, None]
    return speech + noise.gather(1, place) * valid_mask(speech, lengths)
