"""Feature normalization (Yang & Kang, Algorithm 1), for any body that is walked from site to site.

At a normalized site every channel of the noisy features is pulled towards the mean and deviation that a
frozen copy of the pre-trained body gives for the paired clean speech:

    x <- (1 + k (r - 1)) x + k (m_clean - r m_noisy),    r = sigma_clean / sigma_noisy

with running statistics over batch and time, updated from the batch before use. k = 1 replaces the statistics,
k = 0 is the identity, and then neither statistics nor the clean branch are computed. Gradient flows through x
alone. The clean branch itself is never normalized, and goes no further than the last site with k > 0. Where
the clean statistics were measured on the corpus beforehand (clean_statistics.py) there is no clean branch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, distributed, nn

from trainables.normalized_ssl.bodies.body import Body, valid_frames
from trainables.normalized_ssl.planted_shift import PlantedShift

_DEVIATION_EPS = 1e-5
_RATIO_RANGE = (0.1, 10.0)  # channels after a GELU can be almost constant

Moments = tuple[Tensor, Tensor]  # mean and deviation per channel


@dataclass(frozen=True)
class Walk:
    """Features at every site, (batch, channels, frames), before and after normalization."""

    raw: list[Tensor]
    normalized: list[Tensor]


class FeatureNormalization(nn.Module):
    """The strengths, the running statistics and the frozen clean branch; empty `sites` = off."""

    strength: Tensor

    def __init__(
        self,
        body: Body,
        sites: tuple[int, ...],
        affine_stats: str = "running",
        running_start: str = "corrected",
        planted_site: int | None = None,
        corpus_targets: Mapping[int, Moments] | None = None,
    ):
        super().__init__()
        self.batch_affine = affine_stats == "batch"
        self.planted_site = planted_site
        self.planted = None if planted_site is None else PlantedShift(body, planted_site)
        self.statistics = nn.ModuleDict(
            {str(site): RunningStatistics(body.channels[site], running_start) for site in sites}
        )
        measured = {} if corpus_targets is None else {site: corpus_targets[site] for site in sites}
        self.corpus_targets = nn.ModuleDict(
            {str(site): FixedTarget(*found) for site, found in measured.items()}
        )
        self.clean_body = body.frozen_prefix(max(sites)) if sites and not measured else None
        self.register_buffer("strength", torch.zeros(body.sites))

    @property
    def sites(self) -> list[int]:
        return [int(site) for site in self.statistics]

    def running(self, site: int) -> "RunningStatistics":
        """The statistics of a normalized site."""
        return cast(RunningStatistics, self.statistics[str(site)])

    def set_strength(self, k: float) -> None:
        """The same k at every normalized site."""
        self.strength.zero_()
        self.strength[self.sites] = k

    def set_horizons(self, means: float, ratios: float) -> None:
        """Steps that the running means and the running ratios average over; 1 = the last batch alone."""
        for site in self.sites:
            self.running(site).momentum = (1.0 - 1.0 / means, 1.0 - 1.0 / ratios)

    def walk(
        self, body: Body, noisy: Tensor, clean: Tensor | None = None, lengths: Tensor | None = None
    ) -> Walk:
        """Through the whole body, normalizing on the way.

        Args:
            noisy: (batch, samples).
            clean: (batch, samples), paired, at the same gain; None = take the running statistics as they are.
            lengths: (batch,) valid samples; what lies beyond is left out of the statistics.
        """
        active = self._active_sites()
        targets = self._targets(clean, lengths, active) if clean is not None else {}
        x, raw, normalized = body.start(noisy, lengths), [], []
        for site in range(body.sites):
            if site > 0:
                x = body.advance(x, site - 1)
            if self.planted is not None and site == self.planted_site:
                x = self.planted(x)
            raw.append(x)
            if site in active:
                x = self._normalize(body, x, site, lengths, targets.get(site))
            normalized.append(x)
        return Walk(raw, normalized)

    def _normalize(
        self, body: Body, x: Tensor, site: int, lengths: Tensor | None, target: Moments | None
    ) -> Tensor:
        """By running statistics, updated first where there is a target; or by this batch's own."""
        statistics, k = self.running(site), self.strength[site]
        if target is None:
            return statistics.normalize(x, k)
        found = batch_statistics(body, x, lengths, site)
        statistics.update(found, target)
        if self.batch_affine:
            return pulled(x, k, found[0], target[0], deviation_ratio(found, target))
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
            found[f"site{site}/k"] = float(self.strength[site])
        return found

    def _active_sites(self) -> list[int]:
        return [site for site, k in enumerate(self.strength.tolist()) if k != 0.0]

    def _targets(self, clean: Tensor, lengths: Tensor | None, active: list[int]) -> dict[int, Moments]:
        if self.corpus_targets:
            return {site: cast(FixedTarget, self.corpus_targets[str(site)]).moments for site in active}
        return self._clean_statistics(clean, lengths, active)

    @torch.no_grad()
    def _clean_statistics(
        self, clean: Tensor, lengths: Tensor | None, active: list[int]
    ) -> dict[int, Moments]:
        """Mean and deviation of the clean features at every active site."""
        if not active or self.clean_body is None:
            return {}
        found = {}
        y = self.clean_body.start(clean, lengths)
        for site in range(active[-1] + 1):
            if site > 0:
                y = self.clean_body.advance(y, site - 1)
            if site in active:
                found[site] = batch_statistics(self.clean_body, y, lengths, site)
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
        return self.mean, self.deviation


class RunningStatistics(nn.Module):
    """Exponential averages of both means and of the deviations' ratio, (channels,) each.

    Kept as weighted sums and their weights, so the average is free of any starting value (it equals the usual
    one divided by 1 - beta^t). Other starts: "first_batch" gives the first batch the weight 1 / (1 - beta) of
    an endless past; "identity" gives it to means 0 and ratio 1. `momentum` must be set before the first update:
    they are weighed by it.
    """

    noisy_sum: Tensor
    clean_sum: Tensor
    ratio_sum: Tensor
    weights: Tensor

    def __init__(self, channels: int, start: str = "corrected"):
        super().__init__()
        self.start = start
        self.momentum = (0.99, 0.999)  # beta of the means, beta of the ratio
        for name in ("noisy_sum", "clean_sum", "ratio_sum"):
            self.register_buffer(name, torch.zeros(channels))
        self.register_buffer("weights", torch.zeros(2))  # of the means, of the ratio

    @torch.no_grad()
    def update(self, noisy: Moments, clean: Moments) -> None:
        """Take in one batch's (mean, deviation) of noisy and of clean features."""
        for_means, for_ratio = self.momentum
        ratio = deviation_ratio(noisy, clean)
        if self.start != "corrected" and not self.weights.any():
            self._begin(noisy[0], clean[0], ratio)
        self.noisy_sum.mul_(for_means).add_(noisy[0])
        self.clean_sum.mul_(for_means).add_(clean[0])
        self.ratio_sum.mul_(for_ratio).add_(ratio)
        self.weights.mul_(self.weights.new_tensor(self.momentum)).add_(1.0)

    def _begin(self, noisy_mean: Tensor, clean_mean: Tensor, ratio: Tensor) -> None:
        """Weigh the start as much as all that an endless past would."""
        past = [1.0 / (1.0 - beta) for beta in self.momentum]
        self.weights.copy_(self.weights.new_tensor(past))
        if self.start == "identity":
            self.ratio_sum.fill_(past[1])
            return
        self.noisy_sum.copy_(noisy_mean * past[0])
        self.clean_sum.copy_(clean_mean * past[0])
        self.ratio_sum.copy_(ratio * past[1])

    @property
    def noisy_mean(self) -> Tensor:
        return self.noisy_sum / self._weight(0)

    @property
    def clean_mean(self) -> Tensor:
        return self.clean_sum / self._weight(0)

    @property
    def ratio(self) -> Tensor:
        """r; 1 before the first batch."""
        return torch.where(self.weights[1] > 0, self.ratio_sum / self._weight(1), 1.0)

    def normalize(self, features: Tensor, k: Tensor) -> Tensor:
        """The affine map of the module's docstring on (batch, channels, frames)."""
        return pulled(features, k, self.noisy_mean, self.clean_mean, self.ratio)

    def diagnostics(self) -> dict[str, float]:
        log_ratio = self.ratio.log().abs()
        return {
            "log_ratio_mean": float(log_ratio.mean()),
            "log_ratio_max": float(log_ratio.max()),
            "mean_distance": float((self.noisy_mean - self.clean_mean).norm()),
        }

    def _weight(self, which: int) -> Tensor:
        return self.weights[which].clamp(min=1.0)


def pulled(features: Tensor, k: Tensor, noisy_mean: Tensor, clean_mean: Tensor, ratio: Tensor) -> Tensor:
    """(1 + k (r - 1)) x + k (m_clean - r m_noisy) on (batch, channels, frames)."""
    scale = 1.0 + k * (ratio - 1.0)
    shift = k * (clean_mean - ratio * noisy_mean)
    return scale[:, None] * features + shift[:, None]


def deviation_ratio(noisy: Moments, clean: Moments) -> Tensor:
    """r = sigma_clean / sigma_noisy per channel, kept in a range."""
    return ((clean[1] + _DEVIATION_EPS) / (noisy[1] + _DEVIATION_EPS)).clamp(*_RATIO_RANGE)


@torch.no_grad()
def batch_statistics(body: Body, features: Tensor, lengths: Tensor | None, site: int) -> Moments:
    """Mean and biased deviation per channel over batch and time, padding excluded, over all processes.

    Two passes, in float32: one sum for the means, one for the centred squares.
    """
    features = features.float()
    valid = valid_frames(body, lengths, site, features)
    count = _over_processes(valid.sum())
    mean = _over_processes((features * valid).sum(dim=(0, 2))) / count
    squares = ((features - mean[:, None]) * valid).square().sum(dim=(0, 2))
    return mean, (_over_processes(squares) / count).sqrt()


def _over_processes(total: Tensor) -> Tensor:
    """Sum over the processes of a distributed run; the total itself in a single one."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(total)
    return total
