"""Differences where scores are not as a sweep's: one run of each system, runs without utterances, unequal runs.

A sweep has several seeds of every candidate, the same for all, each scored on the same units: `comparisons` handles
that, and these classes add what else people have. Which sources of chance an interval accounts for follows from the
data, and is said:

- **seeds and units**, seeds shared: the crossed model of a sweep; a pair that lacks some, on those it shares.
- **seeds and units**, seeds not shared (or unequal in number, or one system with a single run): the seeds' variance is
  that between a candidate's own runs, pooled over candidates, and needs no pairing; units are paired.
- **units**, one run of each: a paired t interval of the two, conditional on these very models.
- **seeds**, one value a run: paired by seed where all candidates have the same seeds, else an unpaired t interval; the
  variance between runs is pooled over candidates either way.

Subtracting what a shared seed has in common costs degrees of freedom and nothing else, so that sharing seeds' names
does no harm where they mean nothing (docs/verdict.md has the simulations).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweep.verdict.comparisons import (
    UNSTABLE_RATIO,
    Basis,
    Comparisons,
    Difference,
    Interval,
    Pool,
    alike_of,
    level,
    unstable,
)
from sweep.verdict.crossed_effects import CrossedEffects
from sweep.verdict.means import mean
from sweep.verdict.paired_scores import PairedScores
from sweep.verdict.score_table import KEPT

Array = NDArray[np.float64]
Chance = Literal["seeds and units", "units", "seeds", "none"]


@dataclass(frozen=True)
class Source:
    """A mean square's share of the variance of a difference, and its degrees of freedom."""

    variance: Array | float
    df: float


@dataclass(frozen=True)
class Sources:
    """The variance of a difference: seeds + units - what both count, at least the larger of the two.

    `seeds` includes the residual that a run's mean over units has, and so does `units`; `both` is that residual.
    `runs` are those of the first and the second candidate, `n_units` what they are scored on.
    """

    seeds: Source | None
    units: Source | None
    both: Source | None
    runs: tuple[int, int]
    n_units: int

    @property
    def variance(self) -> Array | float:
        seeds, units, both = self._variances
        return np.maximum(seeds + units - both, np.maximum(seeds, units))

    @property
    def df(self) -> Array | float:
        """Degrees of freedom with which a t interval is as wide as Howe's (J. Am. Stat. Assoc. 69, 1974) at 95 %.

        Howe's interval takes each source times its own t quantile: half^2 = t_seeds^2 seeds + t_units^2 (the rest).
        Satterthwaite's approximation is too narrow where a few seeds make up most of the variance: with two systems
        and three seeds each, it names a false winner in 7 % of worlds.
        """
        if self.seeds is None or self.units is None:
            one = self.seeds or self.units
            assert one is not None
            return one.df
        seeds, whole = self._variances[0], self.variance
        t_seeds, t_units = (-special.stdtrit(df, 0.025) for df in (self.seeds.df, self.units.df))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.sqrt((t_seeds**2 * seeds + t_units**2 * (whole - seeds)) / whole)
        least = min(self.seeds.df, self.units.df)
        found = special.stdtridf(0.975, np.where(np.isfinite(t), t, t_seeds))
        return np.clip(np.where(np.isfinite(found), found, least), least, max(self.seeds.df, self.units.df))

    def half_width(self, alpha: float) -> Array | float:
        """Of the two-sided (1 - alpha) t interval."""
        return -special.stdtrit(self.df, alpha / 2) * np.sqrt(self.variance)

    def with_seeds(self, n_seeds: int) -> "Sources | None":
        """To be expected with so many runs of either; None where the variance between runs is not known."""
        if self.seeds is None:
            return None
        fewer = (2 / n_seeds) / sum(1 / n for n in self.runs)
        seeds, units, both = self._variances
        df = self.seeds.df * (n_seeds - 1) / max(sum(self.runs) / 2 - 1, 0.5)
        return Sources(
            Source(seeds * fewer, df),
            self.units and Source(np.maximum(units - both, 0) + both * fewer, self.units.df),
            self.both and Source(both * fewer, self.both.df * (n_seeds - 1) / max(sum(self.runs) / 2 - 1, 0.5)),
            (n_seeds, n_seeds),
            self.n_units,
        )

    def with_units(self, n_units: int) -> "Sources | None":
        """To be expected on so many units; None where the variance between units is not known."""
        if self.units is None:
            return None
        fewer = self.n_units / n_units
        seeds, units, both = self._variances
        more = (n_units - 1) / (self.n_units - 1)
        return Sources(
            self.seeds and Source(np.maximum(seeds - both, 0) + both * fewer, self.seeds.df),
            Source(units * fewer, self.units.df * more),
            self.both and Source(both * fewer, self.both.df * more),
            self.runs,
            n_units,
        )

    @property
    def _variances(self) -> tuple[Array | float, Array | float, Array | float]:
        seeds, units, both = (
            0.0 if source is None else source.variance for source in (self.seeds, self.units, self.both)
        )
        return seeds, units, both


def of_crossed(effects: CrossedEffects) -> Sources:
    """The sources behind crossed effects."""
    each = effects.terms / (effects.n_seeds * effects.n_units)
    seeds, units = effects.replicas * (effects.n_seeds - 1), effects.replicas * (effects.n_units - 1)
    return Sources(
        Source(each * effects.ms_seed, seeds),
        Source(each * effects.ms_unit, units),
        Source(each * effects.ms_residual, seeds * (effects.n_units - 1)),
        (effects.n_seeds, effects.n_seeds),
        effects.n_units,
    )


def of_units(first: Array, second: Array) -> Sources | None:
    """One run of each on the same units, (..., units): a paired t interval. None with fewer than two units."""
    n_units = first.shape[-1]
    if n_units < 2:
        return None
    variance = (first - second).var(axis=-1, ddof=1) / n_units
    return Sources(None, Source(variance, n_units - 1), None, (1, 1), n_units)


def of_shared_seeds(runs: Array) -> Sources | None:
    """One value a run, (..., candidates, seeds), seeds shared: what candidates have in common is subtracted."""
    n_candidates, n_seeds = runs.shape[-2:]
    if min(n_candidates, n_seeds) < 2:
        return None
    centred = runs - runs.mean(axis=-2, keepdims=True)
    centred = centred - centred.mean(axis=-1, keepdims=True)
    df = (n_candidates - 1) * (n_seeds - 1)
    variance = 2 * (centred**2).sum(axis=(-2, -1)) / (df * n_seeds)
    return Sources(Source(variance, df), None, None, (n_seeds, n_seeds), 1)


@dataclass(frozen=True)
class RunSpread:
    """How one candidate's runs differ: the variance of their means over units, and the residual's part of it."""

    variance: float
    residual: float  # of one score; 0 without units
    n_runs: int
    n_units: int

    @staticmethod
    def of(scores: Array) -> "RunSpread":
        """From its (seeds, units) scores, two seeds at least."""
        n_runs, n_units = scores.shape
        means = scores.mean(axis=1)
        residual = 0.0
        if n_units > 1:
            rest = scores - means[:, None] - scores.mean(axis=0) + scores.mean()
            residual = float((rest**2).sum() / ((n_runs - 1) * (n_units - 1)))
        return RunSpread(float(means.var(ddof=1)), residual, n_runs, n_units)


class OpenComparisons(Comparisons):
    """Levels and differences of candidates whose runs and units are as they happen to be.

    `as_a_sweep`: crossed effects have a sweep's degrees of freedom, Satterthwaite's.
    """

    def __init__(
        self,
        paired: PairedScores,
        *,
        seeds_paired: bool,
        has_units: bool,
        chosen_from: int = 2,
        as_a_sweep: bool = False,
    ) -> None:
        super().__init__(paired, chosen_from)
        self._as_a_sweep = as_a_sweep
        self._seeds_paired, self._has_units = seeds_paired, has_units
        self._runs = dict(zip(paired.labels, map(int, paired.finished.sum(axis=1)), strict=True))
        if not (seeds_paired and has_units):
            self._pool = Pool(self._pool.block, None, ())
            self.pooled = None
            self.apart = tuple(label for label in paired.labels if label not in alike_of(paired.labels, paired.apart))
            self.unstable = self._unstable_runs()

    @property
    def chance(self) -> Chance:
        """What the intervals account for."""
        if not self._seeds_paired and max(self._runs.values()) < 2:
            return "units" if self._has_units else "none"
        return "seeds and units" if self._has_units else "seeds"

    def has_runs(self, label: str) -> bool:
        return self._runs[label] > 0

    def units_of(self, label: str) -> int:
        """How many units its score is the mean of."""
        return self.paired.block_of(label).scores.shape[-1]

    def difference(self, first: str, second: str) -> Difference | None:
        """`first` - `second`; None where they have no scored cell in common."""
        if self._seeds_paired and self._has_units:
            return super().difference(first, second)
        if self._seeds_paired:
            return self._by_shared_seed(first, second)
        mine, other = self._own(first), self._own(second)
        common = np.logical_and.reduce(np.isfinite(np.vstack([mine, other])), axis=0)
        if not common.any() or not len(mine) or not len(other):
            return None
        a, b = (self.paired.unit_means(scores[:, common], common) for scores in (mine, other))
        value = float((a.mean(axis=0) - b.mean(axis=0)).mean())
        if self.chance == "units":
            return self._difference(value, [of_units(a[0], b[0])])
        bases = [self._from_runs(a, b, list(self._alike_spreads.values()))]
        if {first, second} & {*self.unstable, *self.apart}:
            bases.append(self._from_runs(a, b, [self._spreads[x] for x in (first, second) if x in self._spreads]))
        return self._difference(value, bases)

    def obstacle(self, leader: str) -> str | None:
        if self.typical(leader) is not None:
            return None
        if self.chance == "none":
            return "no interval can be had from one value of each candidate: give several seeds, or scores by utterance"
        return "no interval can be had: no other candidate shares enough scores with the leader"

    def typical(self, leader: str) -> Basis | None:
        """The pooled uncertainty, or that of the leader and its closest rival."""
        if self.pooled is not None and leader not in self.apart:
            return self._basis(self.pooled)
        return self._of_closest_rival(leader)

    def _basis(self, basis: Basis) -> Basis:
        return of_crossed(basis) if isinstance(basis, CrossedEffects) and not self._as_a_sweep else basis

    def _difference(self, value: float, bases: Sequence[Basis | None]) -> Difference:
        return super()._difference(value, [None if basis is None else self._basis(basis) for basis in bases])

    def _own(self, label: str) -> Array:
        """(runs, utterances) scores of one candidate, with its gaps."""
        index = self.paired.labels.index(label)
        return self.paired.scores[index][self.paired.finished[index]]

    @cached_property
    def _spreads(self) -> dict[str, RunSpread]:
        """Of every candidate with two runs or more, on the units that all its runs have."""
        spreads = {}
        for label in (label for label, runs in self._runs.items() if runs > 1):
            own = self._own(label)
            common = np.logical_and.reduce(np.isfinite(own), axis=0)
            if common.any():
                spreads[label] = RunSpread.of(self.paired.unit_means(own[:, common], common))
        return spreads

    @property
    def _alike_spreads(self) -> dict[str, RunSpread]:
        """Those that are pooled."""
        return {label: spread for label, spread in self._spreads.items() if label not in self.apart}

    def _unstable_runs(self) -> tuple[str, ...]:
        if self._seeds_paired:
            block = self._pool.block
            if min(block.scores.shape) < 1 or block.scores.shape[1] < 2:
                return ()
            alike = alike_of(block.labels, self.apart)
            flags = unstable(block.scores[[block.labels.index(label) for label in alike]])
            return tuple(label for label, flag in zip(alike, flags, strict=True) if flag)
        if len(self._alike_spreads) < 3:
            return ()
        limit = UNSTABLE_RATIO * float(np.median([spread.variance for spread in self._alike_spreads.values()]))
        return tuple(label for label, spread in self._alike_spreads.items() if spread.variance > limit)

    def _from_runs(self, a: Array, b: Array, spreads: Sequence[RunSpread]) -> Sources | None:
        """Units paired, runs not: (runs, units) scores of two candidates; `spreads` of those whose runs vary alike."""
        if not spreads:
            return None
        runs, n_units = (len(a), len(b)), a.shape[1]
        df = sum(spread.n_runs - 1 for spread in spreads)
        variance = sum((spread.n_runs - 1) * spread.variance for spread in spreads) / df
        each = 1 / runs[0] + 1 / runs[1]
        seeds = Source(each * variance, df)
        if n_units < 2:
            return Sources(seeds, None, None, runs, n_units)
        cells = sum((spread.n_runs - 1) * (spread.n_units - 1) for spread in spreads)
        rest = sum((s.n_runs - 1) * (s.n_units - 1) * s.residual for s in spreads) / max(cells, 1)
        units = (a.mean(axis=0) - b.mean(axis=0)).var(ddof=1) / n_units
        return Sources(seeds, Source(units, n_units - 1), Source(each * rest / n_units, max(cells, 1)), runs, n_units)

    def _by_shared_seed(self, first: str, second: str) -> Difference | None:
        block = self.paired.block(self.paired.with_seeds_of([first, second]))
        if not block.scores.size:
            return None
        a, b = block.of(first), block.of(second)
        alike = [block.labels.index(label) for label in alike_of(block.labels, self.apart)]
        bases = [of_shared_seeds(block.scores[alike, :, 0])]
        if {first, second} & {*self.unstable, *self.apart}:
            bases.append(of_shared_seeds(np.stack([a, b])[..., 0]))
        return self._difference(float((a - b).mean()), bases)

    def _pool_with(self, *labels: str) -> Pool:
        """The candidates that have the seeds of `labels` and all but a few of their units."""
        if set(labels) <= set(self.pooled_block.labels):
            return self._pool
        key = tuple(sorted(labels))
        if key not in self._pools:
            chosen = list(labels)
            _, common, _ = self.paired.cells(chosen)
            least = KEPT * common.sum()
            for label in self.paired.with_seeds_of(labels):
                if label not in chosen and self.paired.cells([*chosen, label])[1].sum() >= least:
                    chosen.append(label)
            in_order = [label for label in self.paired.labels if label in chosen]
            self._pools[key] = Pool.of(self.paired.block(in_order), self.paired.apart)
        return self._pools[key]

    @cached_property
    def _pools(self) -> dict[tuple[str, ...], Pool]:
        return {}

    def _level(self, scores: Array, alpha: float) -> tuple[float | None, Interval | None]:
        """By whatever varies: seeds and units, one of them, or neither."""
        several = [size > 1 for size in scores.shape]
        if all(several) or not any(several) or not scores.size:
            return level(scores, alpha)
        value, flat = mean(scores), scores.ravel()
        half = -float(special.stdtrit(flat.size - 1, alpha / 2)) * float(flat.std(ddof=1)) / flat.size**0.5
        assert value is not None
        return value, (value - half, value + half)
