"""The mean of every candidate and of the noisy input, as the verdict computes it.

Tables, figures, pages, files, data frames and MLflow take their means from here. A mean is over seeds and units
with equal weights: over speaker means from ten speakers up, else over utterances (`PairedScores.unit`). It counts
the (seed, utterance) cells that every complete candidate and the noisy input scored; a candidate that lacks seeds
is averaged over the cells of its own seeds. Means are in the metric's own sign.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweep.verdict.paired_scores import NOISY, PairedScores


class Part(NamedTuple):
    """One part of the cells, such as those of one noise type."""

    value: Any  # of the field it was split by
    n_utterances: int
    leader: str  # the best mean here; the earlier candidate where equal
    means: dict[str, float]  # by candidate, and of NOISY


def mean(scores: NDArray[np.float64] | None) -> float | None:
    """The mean of (seeds, units) or (units,) scores; None where there are none."""
    return float(scores.mean()) if scores is not None and scores.size else None


def mean_scores(paired: PairedScores, leader: str | None = None) -> dict[str, float]:
    """Label -> mean, first the noisy input's, on the leader's cells; without those that have no score."""
    noisy = paired.complete_block.noisy if leader is None else paired.block_of(leader).noisy
    means = {NOISY: mean(noisy)}
    for label in paired.labels:
        means[label] = mean(paired.block_of(label).of(label))
    return {label: paired.shown(value) for label, value in means.items() if value is not None}


def seed_means(paired: PairedScores) -> dict[tuple[str, int], float]:
    """(candidate, seed) -> mean of that finalist; without those that failed."""
    means: dict[tuple[str, int], float] = {}
    for label in paired.labels:
        block = paired.block_of(label)
        if block.scores.size:
            of_seeds = block.of(label).mean(axis=-1)
            means |= {
                (label, seed): paired.shown(float(value)) for seed, value in zip(block.seeds, of_seeds, strict=True)
            }
    return means


def parts(paired: PairedScores, labels: Sequence[str], field: str) -> list[Part]:
    """The cells that `labels` share, split by "seed" or by a column of `paired.utterances`.

    A part keeps the unit of the whole: with speakers as units, its mean is over the speakers that are in it.
    """
    block = paired.block(labels)
    if not block.scores.size:
        return []
    if field == "seed":
        noisy_mean = mean(block.noisy)
        by_seed = zip(block.seeds, block.scores.mean(axis=-1).T, strict=True)
        return [_part(paired, seed, block.n_utterances, labels, means, noisy_mean) for seed, means in by_seed]
    _, common, scores = paired.cells(labels)
    of_utterances, keys = scores.mean(axis=1), paired.utterances[field][common]
    found = []
    for value in sorted(pd.unique(keys.dropna())):
        here = (keys == value).to_numpy()
        chosen = common.copy()
        chosen[common] = here
        means = [paired.unit_means(each[here], chosen).mean() for each in of_utterances]
        noisy = None if paired.noisy is None else mean(paired.unit_means(paired.noisy[chosen], chosen))
        found.append(_part(paired, value, int(here.sum()), labels, means, noisy))
    return found


def _part(
    paired: PairedScores,
    value: Any,
    n_utterances: int,
    labels: Sequence[str],
    means: Iterable[float],
    noisy: float | None,
) -> Part:
    by_label = {label: float(each) for label, each in zip(labels, means, strict=True)}
    leader = max(labels, key=lambda label: round(by_label[label], 9))
    with_noisy = by_label | ({} if noisy is None else {NOISY: noisy})
    return Part(value, n_utterances, leader, {label: paired.shown(each) for label, each in with_noisy.items()})
