"""Worlds in which the truth is known, in every shape that `sweep.verdict.judge` takes, and who keeps its promise there.

Spreads are those of `simulated_scores`: standard deviations .03 between runs, .10 for candidate x utterance, .10
residual, .50 shared by all candidates.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmarks.simulated_scores import RESIDUAL_SD, SEED_SD, UNIT_SD, UTTERANCE_SD
from sweep.verdict.comparisons import Difference
from sweep.verdict.designs import OpenComparisons
from sweep.verdict.judging import leading
from sweep.verdict.score_table import arrange, seeds_are_shared

Array = NDArray[np.float64]
Method = Callable[[Array, Array], tuple[float, float]]
ALPHA = 0.05

EQUAL = (0.0,) * 6
TWO_ON_TOP = (0.3, 0.3, 0.0, 0.0, 0.0, 0.0)
ONE_LEADS = (0.08, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Shape:
    """What a table of scores has.

    `runs`: of each candidate; one number holds for all. `units`: utterances, 0 where there is one value a run.
    `named_alike`: seeds have the same names in all candidates. `shared_sd`: what a seed of one name does to all
    candidates alike. `gaps`: the share of (candidate, utterance) cells that were never scored; `scored`: the share of
    the utterances that each candidate was scored on, from the first on. `speakers`: of the utterances, with a
    candidate x speaker effect of `speaker_sd`. `seed_sds`: each candidate's spread between runs.
    """

    runs: tuple[int, ...] | int = 5
    units: int = 200
    named_alike: bool = True
    shared_sd: float = 0.0
    gaps: float = 0.0
    scored: tuple[float, ...] = ()
    speakers: int = 0
    speaker_sd: float = 0.0
    unit_sds: tuple[float, ...] = ()


SHAPES = {
    "5 seeds x 200 utterances": Shape(),
    "3 seeds x 200 utterances": Shape(runs=3),
    "5 seeds, each with its own names": Shape(named_alike=False),
    "5 seeds that share an effect (.10)": Shape(shared_sd=0.1),
    "unequal seeds: 3, 3, 5, 5, 8, 8": Shape(runs=(3, 3, 5, 5, 8, 8)),
    "unequal seeds, one system with a single run": Shape(runs=(5, 1, 3, 5, 8, 5)),
    "one run of each x 200 utterances": Shape(runs=1),
    "one run of each x 20 utterances": Shape(runs=1, units=20),
    "one run, systems that scatter .05 to .5": Shape(runs=1, unit_sds=(0.05, 0.1, 0.1, 0.2, 0.3, 0.5)),
    "3 seeds, one value a run": Shape(runs=3, units=0),
    "5 seeds, one value a run": Shape(units=0),
    "5 seeds, one value a run, own names": Shape(units=0, named_alike=False),
    "one value a run, unequal: 2, 3, 5, 5, 8, 1": Shape(runs=(2, 3, 5, 5, 8, 1), units=0),
    "10 % of the cells missing": Shape(gaps=0.1),
    "10 % missing, one run": Shape(gaps=0.1, runs=1),
    "unequal utterances: 200, 200, 100, 50, 200, 160": Shape(scored=(1, 1, 0.5, 0.25, 1, 0.8)),
    "20 speakers who matter (.10), 3 seeds": Shape(runs=3, speakers=20, speaker_sd=0.1),
    "20 speakers who matter (.10), one run": Shape(runs=1, speakers=20, speaker_sd=0.1),
}


@dataclass(frozen=True)
class World:
    """One table with its truth: the true score of each candidate, given what the verdict is conditional on."""

    scores: Array  # (candidates, runs, units), NaN where there is none
    truth: Array  # (candidates,)
    speakers: NDArray[np.int64]  # (units,)
    shape: Shape

    def comparisons(self, chosen_from: int = 2) -> OpenComparisons:
        n_candidates, n_runs, n_units = self.scores.shape
        present = np.isfinite(self.scores)
        has: NDArray[np.bool_] = np.logical_or.reduce(present, axis=-1)
        if not self.shape.named_alike:  # every run a seed of its own name
            has = np.hstack([np.eye(n_candidates, dtype=bool)[:, [c]] & has[c] for c in range(n_candidates)])
        names = np.array([f"s{speaker:03d}" for speaker in range(max(self.shape.speakers, 1))])
        facts = pd.DataFrame({"speaker": names[self.speakers], "noise_type": ""}, index=range(n_units))
        arranged = arrange(
            tuple(map(str, range(n_candidates))),
            tuple(range(n_runs)),
            facts,
            self.scores,
            present,
            seeds_are_shared(has, n_units > 1),
        )
        return OpenComparisons(
            arranged.scores,
            seeds_paired=arranged.seeds_paired,
            has_units=arranged.has_units,
            chosen_from=chosen_from,
        )


def worlds(
    shape: Shape, means: tuple[float, ...], repeats: int, seed: int = 0, equal_models: bool = False
) -> Iterator[World]:
    """Tables of this shape. With a single run of each, the truth is that of these models, which `means` may be."""
    rng = np.random.default_rng(seed)
    k = len(means)
    runs = (shape.runs,) * k if isinstance(shape.runs, int) else shape.runs[:k]
    n_runs, n_units = max(runs), max(shape.units, 1)
    speakers = np.arange(n_units) * max(shape.speakers, 1) // n_units
    unit_sds = np.array(shape.unit_sds[:k] or (UNIT_SD,) * k)[:, None, None]
    for _ in range(repeats):
        effects = SEED_SD * rng.standard_normal((k, n_runs, 1)) + shape.shared_sd * rng.standard_normal((1, n_runs, 1))
        if equal_models and n_runs == 1:
            effects = np.zeros_like(effects)
        scores = np.array(means)[:, None, None] + effects
        if shape.units:
            scores = scores + UTTERANCE_SD * rng.standard_normal((1, 1, n_units))
            scores = scores + unit_sds * rng.standard_normal((k, 1, n_units))
            scores = scores + RESIDUAL_SD * rng.standard_normal((k, n_runs, n_units))
            if shape.speakers:
                scores += shape.speaker_sd * rng.standard_normal((k, 1, shape.speakers))[..., speakers]
        for candidate, given in enumerate(runs):
            scores[candidate, given:] = np.nan
        if shape.gaps:
            scores[np.broadcast_to((rng.random((k, 1, n_units)) < shape.gaps), scores.shape)] = np.nan
        for candidate, share in enumerate(shape.scored[:k]):
            scores[candidate, :, round(share * n_units) :] = np.nan
        conditional = shape.units > 0 and n_runs == 1  # on these models
        yield World(scores, np.array(means) + (effects[:, 0, 0] if conditional else 0), speakers, shape)


def coverage(
    shape: Shape, repeats: int, candidates: int = 6, seed: int = 0, of_models: bool = True
) -> tuple[float, float]:
    """How often the interval of a pair named beforehand holds the truth, and those of all pairs hold it at once.

    With a single run of each, the truth is that of these models, or with `of_models=False` of the methods.
    """
    pair, at_once = [], []
    for world in worlds(shape, (0.0,) * candidates, repeats, seed):
        comparisons, truth = world.comparisons(), world.truth if of_models else np.zeros(candidates)
        ps, simultaneous = [], []
        for a in range(candidates):
            for b in range(a + 1, candidates):
                found = comparisons.difference(str(a), str(b))
                assert found is not None
                off = Difference(found.value - float(truth[a] - truth[b]), found.bases)
                ps.append(_p(off))
                simultaneous.append(off)
        pair += [p >= ALPHA for p in ps]
        # The largest deviation decides, unless degrees of freedom differ between pairs.
        worst = sorted(zip(ps, range(len(ps)), strict=True))[:3]
        at_once.append(all(_p(replace(simultaneous[i], chosen_from=candidates)) >= ALPHA for _, i in worst))
    return float(np.mean(pair)), float(np.mean(at_once))


def winners(
    shape: Shape, means: tuple[float, ...], repeats: int, seed: int = 2, equal_models: bool = True
) -> tuple[float, float]:
    """Shares of worlds with a winner, the leader chosen by the very scores; and with the first one as the winner.

    With a single run of each, `means` are those of the models, or with `equal_models=False` of the methods.
    """
    won = first = 0
    for world in worlds(shape, means, repeats, seed, equal_models):
        comparisons = world.comparisons(chosen_from=len(means))
        leader = leading(comparisons)
        assert leader is not None
        if all(_ahead(comparisons, leader, str(c)) for c in range(len(means)) if str(c) != leader):
            won += 1
            first += leader == "0"
    return won / repeats, first / repeats


def _ahead(comparisons: OpenComparisons, leader: str, rival: str) -> bool:
    lead = comparisons.difference(leader, rival)
    return lead is not None and lead.value > 0 and _p(lead) < ALPHA


def _p(difference: Difference) -> float:
    p = difference.p()
    assert p is not None
    return p


# -- what papers do, in the same worlds ------------------------------------------------------------------------


def utterance_t(first: Array, second: Array) -> tuple[float, float]:
    """The paired t-test over utterances, runs averaged: low and high end of its 95 % interval."""
    found = stats.ttest_rel(first, second).confidence_interval(1 - ALPHA)
    return float(found.low), float(found.high)


class SpeakerBootstrap:
    """The percentile bootstrap by speaker of the package `confidence_intervals` (Ferrer & Riera).

    It draws speakers, then utterances of each; its draws are seeded by their number, so they are made once.
    Raises ImportError where the package (PyPI: confidence-intervals) is not installed.
    """

    def __init__(self, speakers: NDArray[np.int64], resamples: int = 500) -> None:
        from confidence_intervals import Bootstrap
        from confidence_intervals.confidence_intervals import get_conf_int

        self._bootstrap, self._ends = Bootstrap(resamples, np.mean), get_conf_int
        by_speaker = len(set(speakers.tolist())) > 1
        self._bootstrap.get_bootstrap_sets(len(speakers), speakers if by_speaker else None)

    def __call__(self, first: Array, second: Array) -> tuple[float, float]:
        values = self._bootstrap.get_metric_values_for_bootstrap_sets(first - second, None)
        low, high = self._ends(values, 100 * ALPHA)
        return float(low), float(high)


def of_method(shape: Shape, repeats: int, method: Method, of_models: bool, seed: int = 0) -> tuple[float, float]:
    """Another method's coverage of a pair's difference, and its false winners with two tied on top.

    A winner is one whose interval lies above zero against every other, the leader chosen by the very scores.
    `of_models`: the truth is that of these models rather than of the methods that trained them.
    """
    held = []
    for world in worlds(shape, EQUAL, repeats, seed):
        truth = world.truth if of_models else np.zeros(len(EQUAL))
        runs = np.nanmean(world.scores, axis=1)
        for a, b in ((0, 1), (2, 3), (4, 5)):
            low, high = method(runs[a], runs[b])
            held.append(low <= truth[a] - truth[b] <= high)
    won = 0
    for world in worlds(shape, TWO_ON_TOP, repeats, seed + 2, equal_models=of_models):
        runs = np.nanmean(world.scores, axis=1)
        leader = int(runs.mean(axis=1).argmax())
        won += all(method(runs[leader], runs[c])[0] > 0 for c in range(len(TWO_ON_TOP)) if c != leader)
    return float(np.mean(held)), won / repeats
