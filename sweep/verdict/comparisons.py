"""The difference of any two candidates with its uncertainty, pooled where that is sound.

All candidates that finished every seed contribute to one pooled variance, but for those that are set apart beforehand:
an untrained body scatters over seeds and speakers several times as much as pre-trained ones, and would lend its
variance to all. A pair with a candidate that is apart or unstable takes the wider of the pooled and its own interval.
A candidate that lacks a seed, because the job failed or because the candidate had left contention, is compared on its
own seeds, with the variance pooled over all that have these.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweep.verdict import crossed_effects
from sweep.verdict.crossed_effects import POWER, CrossedEffects
from sweep.verdict.means import mean
from sweep.verdict.paired_scores import Block, PairedScores
from sweep.verdict.simultaneous import dunnett_critical, dunnett_p, probability_best, tukey_critical, tukey_p

Array = NDArray[np.float64]
Interval = tuple[float, float]

UNSTABLE_RATIO = 6.0  # times the median seed variance; see docs/verdict.md


class Basis(Protocol):
    """The uncertainty of a difference: its variance, that variance's degrees of freedom, and both elsewhere."""

    @property
    def variance(self) -> Any: ...
    @property
    def df(self) -> Any: ...
    def half_width(self, alpha: float) -> Any: ...
    def with_seeds(self, n_seeds: int) -> "Basis | None": ...
    def with_units(self, n_units: int) -> "Basis | None": ...


def half_width(basis: Basis, alpha: float, chosen_from: int = 2) -> float:
    """Of the two-sided interval: Student's, or Tukey's where the pair was chosen among more than two candidates."""
    if chosen_from == 2:
        return float(basis.half_width(alpha))
    return tukey_critical(alpha, chosen_from, float(basis.df)) * float(np.sqrt(basis.variance))


def resolvable(basis: Basis, alpha: float, chosen_from: int = 2) -> float:
    """The true difference whose interval excludes zero with 80 % power."""
    beyond = special.stdtrit(basis.df, POWER) * np.sqrt(basis.variance)
    return half_width(basis, alpha, chosen_from) + float(beyond)


@dataclass(frozen=True)
class Difference:
    """`value` = first - second, positive where the first is better; without a basis there is no interval.

    The widest interval of `bases` counts. `chosen_from`: how many candidates the pair was chosen among by these very
    scores; 2 where it was named beforehand.
    """

    value: float
    bases: tuple[Basis, ...]
    chosen_from: int = 2

    def interval(self, alpha: float) -> Interval | None:
        """Two-sided interval that holds although the pair was chosen among `chosen_from` candidates."""
        return self._interval([half_width(basis, alpha, self.chosen_from) for basis in self.bases])

    def p(self) -> float | None:
        """Two-sided p-value of no difference."""
        return max((self._p(basis) for basis in self.bases), default=None)

    def dunnett_interval(self, alpha: float, n_compared: int) -> Interval | None:
        """Interval that holds for all `n_compared` candidates against one baseline at once."""
        return self._interval(
            [
                dunnett_critical(alpha, n_compared, float(basis.df)) * float(np.sqrt(basis.variance))
                for basis in self.bases
            ]
        )

    def dunnett_p(self, n_compared: int) -> float | None:
        return max((dunnett_p(self._t(basis), n_compared, float(basis.df)) for basis in self.bases), default=None)

    def _interval(self, half_widths: Sequence[float]) -> Interval | None:
        if not half_widths:
            return None
        return self.value - max(half_widths), self.value + max(half_widths)

    def _p(self, basis: Basis) -> float:
        if self.chosen_from == 2:
            return 2 * float(special.stdtr(basis.df, -self._t(basis)))
        return tukey_p(self._t(basis), self.chosen_from, float(basis.df))

    def _t(self, basis: Basis) -> float:
        if self.value == 0:
            return 0.0
        error = float(np.sqrt(basis.variance))
        return abs(self.value) / error if error > 0 else np.inf


def alike_of(labels: Sequence[str], apart: Collection[str]) -> list[str]:
    """The candidates whose variances are pooled: those that are not apart, or all where fewer than two are left."""
    alike = [label for label in labels if label not in apart]
    return alike if len(alike) > 1 else list(labels)


def unstable(scores: Array) -> NDArray[np.bool_]:
    """(..., candidates, seeds, units) -> (..., candidates): seed variance beyond 6 times the median."""
    variances = crossed_effects.seed_variances(scores)
    median = np.median(variances, axis=-1, keepdims=True)
    return (variances > UNSTABLE_RATIO * median) & (variances > 0)


@dataclass(frozen=True)
class Pool:
    """Candidates that share one balanced array, and therefore one variance."""

    block: Block
    effects: CrossedEffects | None  # None where there is too little data for an interval
    unstable: tuple[str, ...]
    apart: tuple[str, ...] = ()  # in the block, but not in the effects

    @staticmethod
    def of(block: Block, apart: Collection[str] = ()) -> "Pool":
        """Fewer than two candidates that are not apart have nothing to pool: then all count."""
        alike = alike_of(block.labels, apart)
        scores = block.scores[[block.labels.index(label) for label in alike]]
        effects = crossed_effects.of_differences(scores)
        if effects is None:
            return Pool(block, None, ())
        flagged = tuple(label for label, flag in zip(alike, unstable(scores), strict=True) if flag)
        return Pool(block, effects, flagged, tuple(label for label in block.labels if label not in alike))

    def is_own(self, *labels: str) -> bool:
        """Whether the pooled variance alone would not do for these."""
        return bool({*labels} & {*self.unstable, *self.apart})


class Comparisons:
    """Levels and differences of one group's candidates.

    `chosen_from`: how many candidates the leader is chosen from by these very scores, 2 if it is named beforehand.
    """

    def __init__(self, paired: PairedScores, chosen_from: int = 2) -> None:
        self.paired = paired
        self.chosen_from = chosen_from
        self._pool = Pool.of(paired.complete_block, paired.apart)
        self.pooled_block = self._pool.block
        self.pooled = self._pool.effects  # behind every pair of complete candidates that are alike
        self.unstable = self._pool.unstable
        self.apart = self._pool.apart

    def difference(self, first: str, second: str) -> Difference | None:
        """`first` - `second`; None where they have no scored cell in common."""
        pool = self._pool_with(first, second)
        a, b = pool.block.of(first), pool.block.of(second)
        if a.size == 0:
            return None
        bases: list[Basis | None] = [pool.effects]
        if pool.is_own(first, second):
            bases.append(crossed_effects.of_differences(np.stack([a, b])))
        return self._difference(float((a - b).mean()), bases)

    def obstacle(self, leader: str) -> str | None:
        """Why no candidate can be separated from another; None where there are intervals."""
        if self.pooled is not None:
            return None
        block = self.pooled_block
        return (
            f"no interval can be had from {len(block.labels)} complete candidates, {len(block.seeds)} seeds "
            f"and {block.scores.shape[-1]} {self.paired.unit}s: at least 2 of each are needed"
        )

    def typical(self, leader: str) -> Basis | None:
        """The uncertainty of a typical difference from the leader: the pooled one, or that of its closest rival."""
        return self.pooled if leader not in self.apart else self._of_closest_rival(leader)

    def _of_closest_rival(self, leader: str) -> Basis | None:
        rivals = [label for label in self.paired.labels if label != leader]
        leads = [lead for label in rivals if (lead := self.difference(leader, label)) and lead.bases]
        closest = min(leads, key=lambda lead: abs(lead.value), default=None)
        return None if closest is None else max(closest.bases, key=lambda basis: float(basis.variance))

    def _difference(self, value: float, bases: Sequence[Basis | None]) -> Difference:
        return Difference(value, tuple(basis for basis in bases if basis is not None), self.chosen_from)

    def seed_differences(self, first: str, second: str) -> dict[int, float]:
        """Seed -> `first` - `second` of that seed alone; their mean is the value of `difference`."""
        block = self._pool_with(first, second).block
        differences = block.of(first) - block.of(second)
        return dict(zip(block.seeds, map(float, differences.mean(axis=-1)), strict=True)) if differences.size else {}

    def _pool_with(self, *labels: str) -> Pool:
        if set(labels) <= set(self.pooled_block.labels):
            return self._pool
        return Pool.of(self.paired.block(self.paired.with_seeds_of(labels)), self.paired.apart)

    def level(self, label: str, alpha: float) -> tuple[float | None, Interval | None]:
        """Mean score of one candidate and its own interval, in the metric's own sign."""
        value, interval = self._level(self.paired.block_of(label).of(label), alpha)
        return (
            None if value is None else self.paired.shown(value),
            None if interval is None else self.paired.shown_interval(interval),
        )

    def gain_over_noisy(self, label: str, alpha: float) -> tuple[float | None, Interval | None]:
        """Mean improvement over the noisy input and its own interval."""
        block = self.paired.block_of(label)
        return (None, None) if block.noisy is None else self._level(block.of(label) - block.noisy, alpha)

    def _level(self, scores: Array, alpha: float) -> tuple[float | None, Interval | None]:
        return level(scores, alpha)

    @cached_property
    def p_best(self) -> dict[str, float]:
        """P(best) of each complete candidate; descriptive."""
        if self.pooled is None:
            return {}
        means = self.pooled_block.scores.mean(axis=(1, 2))
        chances = probability_best(means, np.array([*self._errors()]), float(self.pooled.df))
        return dict(zip(self.pooled_block.labels, map(float, chances), strict=True))

    def _errors(self) -> Iterator[float]:
        """Each complete candidate's part in the standard error of its differences."""
        assert self.pooled is not None
        block, shared = self.pooled_block, float(self.pooled.variance) / 2
        alike = block.scores[[label not in self.apart for label in block.labels]]
        for label in block.labels:
            variance = shared
            if label in self.apart:
                own = crossed_effects.of_level(block.of(label) - alike.mean(axis=0))
                assert own is not None
                variance = max(float(own.variance) - shared / len(alike), shared)
            yield float(np.sqrt(variance))


def level(scores: Array, alpha: float) -> tuple[float | None, Interval | None]:
    """Mean of (seeds, units) scores and its crossed-effects interval; None where there is too little data."""
    value = mean(scores)
    effects = crossed_effects.of_level(scores)
    if value is None or effects is None:
        return value, None
    half = float(effects.half_width(alpha))
    return value, (value - half, value + half)
