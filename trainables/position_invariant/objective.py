"""The loss of one batch: how far the features of enhanced speech are from those of clean speech, by variant.

Waves are (batch, samples) at 16 kHz. Meghanani and Hain, 2026 (arXiv:2601.21084); which parts are theirs and which are
ours is in docs/position_invariant.md.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.base.padding import valid_mask
from trainables.losses.si_sdr import si_sdr_loss
from trainables.position_invariant import distances
from trainables.position_invariant.config import PositionInvariantConfig
from trainables.position_invariant.disturbances import (
    Draws,
    changed,
    draw_padding,
    draw_semitones,
    draw_speed,
    guarded,
    in_noise,
    padded,
    unshifted,
)
from trainables.position_invariant.planted_position import PlantedPosition, roughness
from trainables.position_invariant.reference import Reference, frame_counts, level_gain

_SWAPPED = {"clean": "enhanced", "noisy": "clean"}  # the branch that changes in the other half of the steps

Enhance = Callable[[Tensor, Tensor], Tensor]  # (batch, samples) and their lengths -> (batch, samples)


class Branches(NamedTuple):
    """The two waves that are compared, the valid samples of each (batch,), and the clean wave at the first's speed."""

    enhanced: Tensor
    own: Tensor
    clean: Tensor
    other: Tensor
    target: Tensor


class Objective:
    """The losses by name and their weighted total; those of `none` are `mse`'s."""

    def __init__(self, config: PositionInvariantConfig, reference: Reference):
        self.config = config
        self.reference = reference
        strength = config.planted_position
        self._planted = PlantedPosition(reference, strength) if strength > 0 else None

    def __call__(self, enhance: Enhance, noisy: Tensor, clean: Tensor, samples: Tensor) -> dict[str, Tensor]:
        """`samples` (batch,) are valid. Draws come from the global generators, which the caller seeds at every step."""
        draws = Draws()
        branches = self._branches(enhance, noisy, clean, samples, draws)
        if self.config.variant == "mse_pad":
            distance, estimate, counts = self._shifted(branches, draws)
        else:
            distance, estimate, counts = self._compared(branches)
        losses = {"distance": distance}
        total = distance
        if self.config.lambda_sisdr > 0:
            losses["si_sdr"] = si_sdr_loss(branches.enhanced, branches.target, branches.own)
            total = total + self.config.lambda_sisdr * losses["si_sdr"]
        if self.config.lav_weight > 0:
            losses["lav"] = distances.temporal_contrast(estimate, counts, self.config.lav_margin)
            total = total + self.config.lav_weight * losses["lav"]
        return {**losses, "total": total}

    def _branches(self, enhance: Enhance, noisy: Tensor, clean: Tensor, samples: Tensor, draws: Draws) -> Branches:
        """Both waves at the gain that brings the clean one to unit power, one of them perhaps at another speed."""
        gain = level_gain(clean, samples)
        changing = self._changing_branch(draws)
        if changing is None:
            return Branches(gain * enhance(noisy, samples), samples, gain * clean, samples, clean)
        speed, semitones = draw_speed(self.config, draws), draw_semitones(self.config, draws)
        faster, lengths = changed(clean, samples, speed, semitones)
        if changing == "clean":
            return Branches(gain * enhance(noisy, samples), samples, gain * faster, lengths, clean)
        if changing == "noisy":
            mixture = in_noise(faster, lengths, noisy - clean, samples)
            return Branches(gain * enhance(mixture, lengths), lengths, gain * clean, samples, faster)
        enhanced, _ = changed(enhance(noisy, samples), samples, speed, semitones)
        return Branches(gain * enhanced, lengths, gain * clean, samples, faster)

    def _changing_branch(self, draws: Draws) -> str | None:
        if not self.config.changes_speed:
            return None
        swapped = self.config.swap_branches and draws.of("branch").random() < 0.5
        return _SWAPPED[self.config.speed_branch] if swapped else self.config.speed_branch

    def _compared(self, branches: Branches) -> tuple[Tensor, Tensor, Tensor]:
        """The distance as the variant has it, the enhanced features, and their frames of each item."""
        config = self.config
        estimate = self._enhanced(branches.enhanced, branches.own)
        reference = self._clean(branches.clean, branches.other)
        counts = frame_counts(branches.own), frame_counts(branches.other)
        if config.variant == "softdtw":
            settings = config.softness, config.divergence, config.band
            distance = distances.aligned_distance(estimate, reference, counts, *settings)
        elif config.variant == "mse_speed_interp":
            distance = distances.stretched_distance(estimate, reference, counts)
        else:
            distance = distances.frame_distance(estimate, reference, valid_mask(estimate[..., 0], counts[0]))
        return distance, estimate, counts[0]

    def _shifted(self, branches: Branches, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """Whole frames of zeros before and after one branch; its frames of speech against those of the other."""
        samples = branches.own
        padding = draw_padding(self.config, samples, draws)
        pads_clean = self.config.padded_branch == "clean"
        if pads_clean:
            estimate = self._enhanced(branches.enhanced, samples)
            reference = self._clean(*padded(branches.clean, samples, padding))
            reference = unshifted(reference, padding, estimate.shape[1])
        else:
            reference = self._clean(branches.clean, samples)
            estimate = unshifted(
                self._enhanced(*padded(branches.enhanced, samples, padding)), padding, reference.shape[1]
            )
        counts = frame_counts(samples)
        valid = guarded(valid_mask(estimate[..., 0], counts), counts, padding, self.config.guard)
        return distances.frame_distance(estimate, reference, valid), estimate, counts

    def _enhanced(self, wave: Tensor, lengths: Tensor) -> Tensor:
        share = roughness(wave, lengths) if self._planted else None
        return self._features(wave, lengths, share)

    @torch.no_grad()
    def _clean(self, wave: Tensor, lengths: Tensor) -> Tensor:
        return self._features(wave, lengths, None)

    def _features(self, wave: Tensor, lengths: Tensor, share: Tensor | None) -> Tensor:
        component = None if self._planted is None else partial(self._planted, share=share)
        return self.reference.features(wave, lengths, self.config.normalizes, component)
