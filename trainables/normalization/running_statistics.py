"""Running statistics of normalized sites, and the strength k at each, for both methods that normalize."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainables.normalization.moments import Moments, affine, deviation_ratio

PAPER_MOMENTUM = (0.99, 0.999)  # beta of the means, beta of the ratio


class RunningStatistics(nn.Module):
    """Exponential averages of both means and of the deviations' ratio, (channels,) each.

    Kept as weighted sums and their weights, so the average is free of any starting value (it equals the usual
    one divided by 1 - beta^t). Other starts: "first_batch" gives the first batch the weight 1 / (1 - beta) of
    an endless past; "identity" gives it to means 0 and ratio 1. These depend on `momentum`, which must be set
    before the first update.
    """

    noisy_sum: Tensor
    clean_sum: Tensor
    ratio_sum: Tensor
    weights: Tensor

    def __init__(self, channels: int, start: str = "corrected", momentum: tuple[float, float] = PAPER_MOMENTUM):
        super().__init__()
        self.start = start
        self.momentum = momentum
        for name in ("noisy_sum", "clean_sum", "ratio_sum"):
            self.register_buffer(name, torch.zeros(channels))
        self.register_buffer("weights", torch.zeros(2))  # of the means, of the ratio

    @torch.no_grad()
    def update(self, noisy: Moments, clean: Moments) -> None:
        """Include the moments of one batch."""
        for_means, for_ratio = self.momentum
        ratio = deviation_ratio(noisy, clean)
        if self.start != "corrected" and not self.weights.any():
            self._begin(noisy[0], clean[0], ratio)
        self.noisy_sum.mul_(for_means).add_(noisy[0])
        self.clean_sum.mul_(for_means).add_(clean[0])
        self.ratio_sum.mul_(for_ratio).add_(ratio)
        self.weights.mul_(self.weights.new_tensor(self.momentum)).add_(1.0)

    def _begin(self, noisy_mean: Tensor, clean_mean: Tensor, ratio: Tensor) -> None:
        """Give the start the weight that an endless past would have."""
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
        """The affine map of moments.py on (batch, channels, ...)."""
        return affine(features, k, self.noisy_mean, self.clean_mean, self.ratio)

    def diagnostics(self) -> dict[str, float]:
        """Mean and maximum of |log r|, and the Euclidean distance of the means."""
        log_ratio = self.ratio.log().abs()
        return {
            "log_ratio_mean": float(log_ratio.mean()),
            "log_ratio_max": float(log_ratio.max()),
            "mean_distance": float((self.noisy_mean - self.clean_mean).norm()),
        }

    def _weight(self, which: int) -> Tensor:
        return self.weights[which].clamp(min=1.0)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Checkpoints written before both methods shared this module keep separation's sums in one buffer."""
        if f"{prefix}sums" in state:
            sums, weight = state.pop(f"{prefix}sums"), state.pop(f"{prefix}weight")
            named = zip(("noisy_sum", "clean_sum", "ratio_sum"), sums, strict=True)
            state |= {prefix + name: total for name, total in named} | {f"{prefix}weights": weight.expand(2)}
        super()._load_from_state_dict(state, prefix, *rest)


class NormalizedSites(nn.Module):
    """Running statistics at the normalized sites of a network, and k at every site: 0 where it is not normalized."""

    strengths: Tensor

    def __init__(
        self,
        channels: Mapping[int, int],
        sites: int,
        start: str = "corrected",
        momentum: tuple[float, float] = PAPER_MOMENTUM,
    ):
        """`channels` by normalized site; `sites` is how many the network has."""
        super().__init__()
        self.statistics = nn.ModuleDict(
            {str(site): RunningStatistics(count, start, momentum) for site, count in channels.items()}
        )
        self.register_buffer("strengths", torch.zeros(sites))

    @property
    def sites(self) -> list[int]:
        """The normalized ones."""
        return [int(site) for site in self.statistics]

    def running(self, site: int) -> RunningStatistics:
        """The statistics of a normalized site."""
        return cast(RunningStatistics, self.statistics[str(site)])

    def set_strength(self, k: float) -> None:
        """The same k at every normalized site."""
        self.strengths.zero_()
        self.strengths[self.sites] = k

    def set_horizons(self, means: float, ratios: float) -> None:
        """Steps over which the running means and the running ratios average; 1 = the last batch alone."""
        for site in self.sites:
            self.running(site).momentum = (1.0 - 1.0 / means, 1.0 - 1.0 / ratios)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Checkpoints written before the rename say "strength", one number of separation."""
        if f"{prefix}strength" in state:
            state[f"{prefix}strengths"] = state.pop(f"{prefix}strength").expand(len(self.strengths))
        super()._load_from_state_dict(state, prefix, *rest)
