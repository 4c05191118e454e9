"""Feature normalization (Yang & Kang, Algorithm 1), for any body with sites.

At a normalized site every channel of the noisy features is moved by the affine map of normalization/moments.py
towards the mean and deviation that a frozen copy of the pre-trained body gives for the paired clean speech, with
running statistics over batch and time, updated from the batch before use. At k = 0 neither statistics nor the clean
branch are computed. Gradient flows through x alone. The clean branch itself is never normalized, and ends at the last
site with k > 0. If the clean statistics were measured on the corpus beforehand (clean_statistics.py), there is no
clean branch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from trainables.base.padding import where_padded
from trainables.normalization.moments import Moments, affine, deviation_ratio, moments
from trainables.normalization.running_statistics import NormalizedSites
from trainables.normalized_ssl.adapters import Adapters
from trainables.normalized_ssl.planted_shift import PlantedShift
from trainables.ssl.bodies.body import Body, valid_frames


@dataclass(frozen=True)
class Walk:
    """Features at every site, (batch, channels, frames), before and after normalization."""

    raw: list[Tensor]
    normalized: list[Tensor]


class FeatureNormalization(NormalizedSites):
    """The strengths, the running statistics and the frozen clean branch; empty `sites` = off."""

    def __init__(
        self,
        body: Body,
        sites: tuple[int, ...],
        affine_stats: str = "running",
        running_start: str = "corrected",
        planted_site: int | None = None,
        corpus_targets: Mapping[int, Moments] | None = None,
    ):
        super().__init__({site: body.channels[site] for site in sites}, body.sites, running_start)
        self.batch_affine = affine_stats == "batch"
        self.planted_site = planted_site
        self.planted = None if planted_site is None else PlantedShift(body, planted_site)
        measured = {} if corpus_targets is None else {site: corpus_targets[site] for site in sites}
        self.corpus_targets = nn.ModuleDict({str(site): FixedTarget(*found) for site, found in measured.items()})
        self.clean_body = body.frozen_prefix(max(sites)) if sites and not measured else None

    def walk(
        self,
        body: Body,
        noisy: Tensor,
        clean: Tensor | None = None,
        lengths: Tensor | None = None,
        adapters: Adapters | None = None,
    ) -> Walk:
        """Through the whole body, normalizing on the way.

        Args:
            noisy: (batch, samples).
            clean: (batch, samples), paired, at the same gain; None = use the running statistics as they are.
            lengths: (batch,) valid samples; padding is left out of the statistics and of every item's features.
            adapters: what the outputs of layers go through first; the clean branch never does.
        """
        lengths = where_padded(noisy, lengths)
        active = self._active_sites()
        targets = self._targets(clean, lengths, active) if clean is not None else {}
        x, raw, normalized = body.start(noisy, lengths), [], []
        for site in range(body.sites):
            if site > 0:
                x = body.advance(x, site - 1, lengths)
                x = x if adapters is None else adapters(x, site)
            if self.planted is not None and site == self.planted_site:
                x = self.planted(x)
            raw.append(x)
            if site in active:
                x = self._normalize(body, x, site, lengths, targets.get(site))
            normalized.append(x)
        return Walk(raw, normalized)

    def _normalize(self, body: Body, x: Tensor, site: int, lengths: Tensor | None, target: Moments | None) -> Tensor:
        """By running statistics, updated first where there is a target; or by this batch's own."""
        statistics, k = self.running(site), self.strengths[site]
        if target is None:
            return statistics.normalize(x, k)
        found = batch_moments(body, x, lengths, site)
        statistics.update(found, target)
        if self.batch_affine:
            return affine(x, k, found[0], target[0], deviation_ratio(found, target))
        return statistics.normalize(x, k)

    def train(self, mode: bool = True) -> "FeatureNormalization":
        """The clean branch stays in evaluation mode."""
        super().train(mode)
        if self.clean_body is not None:
            self.clean_body.train(False)
        return self

    def diagnostics(self) -> dict[str, float]:
        """k, |log r| and the distance of the means, per normalized site."""
        found: dict[str, float] = {}
        for site in self.sites:
            values = self.running(site).diagnostics()
            found |= {f"site{site}/{name}": value for name, value in values.items()}
            found[f"site{site}/k"] = float(self.strengths[site])
        return found

    def _active_sites(self) -> list[int]:
        return [site for site, k in enumerate(self.strengths.tolist()) if k != 0.0]

    def _targets(self, clean: Tensor, lengths: Tensor | None, active: list[int]) -> dict[int, Moments]:
        if self.corpus_targets:
            return {site: cast(FixedTarget, self.corpus_targets[str(site)]).moments for site in active}
        return self._clean_statistics(clean, lengths, active)

    @torch.no_grad()
    def _clean_statistics(self, clean: Tensor, lengths: Tensor | None, active: list[int]) -> dict[int, Moments]:
        """Mean and deviation of the clean features at every active site."""
        if not active or self.clean_body is None:
            return {}
        found = {}
        y = self.clean_body.start(clean, lengths)
        for site in range(active[-1] + 1):
            if site > 0:
                y = self.clean_body.advance(y, site - 1, lengths)
            if site in active:
                found[site] = batch_moments(self.clean_body, y, lengths, site)
        return found


class FixedTarget(nn.Module):
    """Mean and deviation of clean training speech at one site, (channels,) each, measured beforehand."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    @property
    def moments(self) -> Moments:
        """Both."""
        return self.mean, self.deviation


def batch_moments(body: Body, features: Tensor, lengths: Tensor | None, site: int) -> Moments:
    """Of (batch, channels, frames) at a site, without padding: `lengths` (batch,) are the valid samples."""
    return moments(features, valid_frames(body, lengths, site, features.float()))
