"""From result rows to paired arrays: which scores count, on what unit, and which jobs failed.

Means and differences use only utterances that have a score for every compared candidate at every seed and for the
noisy input, so that a failure never pays. The unit of analysis is the speaker where there are at least ten
(utterances of one speaker are not independent), else the utterance.

Of metrics where less is better the arrays hold the negated scores: here, and nowhere else, scores are turned so that
more is better. `PairedScores.shown` turns them back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweep.verdict.crossed_effects import MINIMUM_SPEAKERS
from trainables.metrics.catalogue import METRICS
from trainables.metrics.scorer import NOT_COMPUTED

Array = NDArray[np.float64]

NOISY = "noisy"  # the candidate name of the unprocessed input
_LARGEST_MEMBERSHIP = 4_000_000  # speakers x utterances; sums over a sorted copy beyond
FAILURE_LIMIT = 0.01  # a job that fails on more of its utterances has failed


@dataclass(frozen=True)
class Block:
    """A balanced array of some candidates' scores, with its seeds and utterances."""

    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: Array  # (candidates, seeds, units)
    noisy: Array | None  # (units,)
    n_utterances: int

    def of(self, label: str) -> Array:
        """(seeds, units) scores of one candidate."""
        return self.scores[self.labels.index(label)]


@dataclass(frozen=True)
class PairedScores:
    """Every score of one group and metric on one split, with its gaps."""

    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    # Index utterance; columns speaker, noise_type, snr_db; only where the noisy input has a score.
    utterances: pd.DataFrame
    scores: Array  # (candidates, seeds, utterances), NaN where there is no score
    noisy: Array | None  # (utterances,)
    finished: NDArray[np.bool_]  # (candidates, seeds): trained, and at most 1 % of the utterances failed
    failures: tuple[int, ...]  # per candidate: cells that failed where the noisy input has a score
    left_after: Mapping[str, int] = field(default_factory=dict)  # seeds given to those that left contention
    unscorable: int = 0  # utterances left out because their noisy input has no score
    lower: bool = False  # of the metric less is better: the arrays hold negated scores
    given: NDArray[np.bool_] | None = None  # (candidates, seeds): the jobs there were; None = all but `left_after`'s
    sparse: frozenset[str] = frozenset()  # candidates whose gaps would cost the others too many utterances
    apart: frozenset[str] = frozenset()  # candidates whose variance is not pooled with the others'

    @cached_property
    def unit(self) -> str:
        """ "speaker" or "utterance"."""
        return unit_of(self.utterances["speaker"])

    def shown(self, score: float) -> float:
        """A score, or the mean of some, in the metric's own sign."""
        return 0.0 - score if self.lower else score

    def shown_interval(self, interval: tuple[float, float]) -> tuple[float, float]:
        """Low and high end, in the metric's own sign."""
        low, high = map(self.shown, interval)
        return (high, low) if self.lower else (low, high)

    @property
    def complete(self) -> tuple[str, ...]:
        """Candidates with every seed that any candidate finished: they share one balanced array."""
        used = self.finished.any(axis=0)
        if not used.any():
            return ()
        return tuple(
            label
            for label, done in zip(self.labels, self.finished, strict=True)
            if done[used].all() and label not in self.sparse
        )

    def failed_seeds(self, label: str) -> int:
        """How many of the seeds that it was given have failed."""
        index = self.labels.index(label)
        if self.given is not None:
            return int((self.given[index] & ~self.finished[index]).sum())
        given = self.left_after.get(label, len(self.seeds))
        return int((~self.finished[index, :given]).sum())

    def with_seeds_of(self, labels: Sequence[str]) -> tuple[str, ...]:
        """All candidates that finished every seed that all of `labels` finished."""
        shared = self.finished[[self.labels.index(label) for label in labels]].all(axis=0)
        return tuple(label for label, done in zip(self.labels, self.finished, strict=True) if done[shared].all())

    @cached_property
    def complete_block(self) -> Block:
        """The balanced array that all complete candidates share."""
        return self.block(self.complete)

    def block_of(self, label: str) -> Block:
        """The array that counts for `label`: the shared one, or its own where it lacks seeds."""
        return self.complete_block if label in self.complete_block.labels else self.block([label])

    def cells(self, labels: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Array]:
        """The seeds that all of `labels` finished, the utterances scored by all, and these scores.

        Shapes: (seeds,), (utterances,) and (labels, finished seeds, scored utterances).
        """
        rows = [self.labels.index(label) for label in labels]
        seeds = np.logical_and.reduce(self.finished[rows])
        scores = self.scores[rows][:, seeds]
        common = np.logical_and.reduce(np.isfinite(scores), axis=(0, 1))
        return seeds, common, scores[..., common]

    def block(self, labels: Sequence[str]) -> Block:
        """The balanced array of `labels`: seeds all of them finished, utterances all of them scored."""
        seeds, common, scores = self.cells(labels)
        noisy = None if self.noisy is None else self.noisy[common]
        return Block(
            tuple(labels),
            tuple(seed for seed, used in zip(self.seeds, seeds, strict=True) if used),
            self.unit_means(scores, common),
            None if noisy is None else self.unit_means(noisy, common),
            int(common.sum()),
        )

    def unit_means(self, scores: Array, common: NDArray[np.bool_]) -> Array:
        """(..., utterances) -> (..., units); `common` says which of all utterances these are."""
        if self.unit == "utterance":
            return scores
        return speaker_means(scores, self.utterances["speaker"].to_numpy(str)[common])


def speaker_means(scores: Array, speakers: Sequence[str] | NDArray[np.str_]) -> Array:
    """(..., utterances) -> (..., speakers): each speaker's mean, speakers sorted by name."""
    names, index = np.unique(np.asarray(speakers), return_inverse=True)
    if len(names) * len(index) > _LARGEST_MEMBERSHIP:
        order = np.argsort(index, kind="stable")
        counts = np.bincount(index)
        return np.add.reduceat(scores[..., order], np.cumsum(counts) - counts, axis=-1) / counts
    membership = index[:, None] == np.arange(len(names))
    return scores @ (membership / membership.sum(axis=0))


def unit_of(speakers: Sequence[str] | NDArray[np.str_] | pd.Series) -> str:
    """The unit of analysis for these utterances' speakers: "speaker" or "utterance"."""
    return "speaker" if len(set(speakers)) >= MINIMUM_SPEAKERS else "utterance"


def group_rows(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """The group's rows with those of the noisy input, which is the same for all groups."""
    mine = rows[rows["group"].eq(group) | rows["candidate"].eq(NOISY)].copy()
    mine["group"] = group
    return mine


def paired_scores(
    rows: pd.DataFrame,
    metric: str,
    labels: Sequence[str],
    seeds: Sequence[int] | None = None,
    failed_jobs: Collection[tuple[str, int]] = (),
    left_after: Mapping[str, int] | None = None,
    apart: Collection[str] = (),
) -> PairedScores:
    """Arrange one group's result rows of one split.

    `failed_jobs` are (candidate, seed) pairs that ended in failure, whatever rows they left; `left_after` has the
    number of seeds given to candidates that left contention; `apart` those whose variance is not pooled with the
    others'. Without `seeds`, all seeds in the rows count. An utterance that a job lacks although its noisy input has a
    score is a failure of that job. Raises ValueError for rows of several groups or splits.
    """
    lower = metric in METRICS and METRICS[metric].lower
    rows = rows[(rows["metric"] == metric) & rows["candidate"].isin([*labels, NOISY])]
    rows = rows[rows["status"] != NOT_COMPUTED]
    if rows["group"].nunique() > 1 or rows["split"].nunique() > 1:
        raise ValueError("rows of one group and one split are needed")
    is_noisy = (rows["candidate"] == NOISY).to_numpy()
    if seeds is None:
        seeds = sorted({int(seed) for seed in rows["seed"][~is_noisy]})
    facts = ["speaker", "noise_type", "snr_db"]
    utterances = rows.drop_duplicates("utterance").set_index("utterance")[facts].sort_index()
    table = _table(rows, labels, seeds, utterances.index)
    if lower:
        table = -table
    noisy, found = None, len(utterances)
    if is_noisy.any():
        noisy = table[-1, -1]
        kept = np.isfinite(noisy)
        utterances, table, noisy = utterances[kept], table[..., kept], noisy[kept]
    scores = table[:-1, :-1]
    trained = _trained(rows, labels, seeds, failed_jobs)
    missing = ~np.isfinite(scores)
    finished = trained & (missing.mean(axis=-1) <= FAILURE_LIMIT) if scores.shape[-1] else trained & False
    failures = (missing & trained[..., None]).sum(axis=(1, 2))
    return PairedScores(
        tuple(labels),
        tuple(int(seed) for seed in seeds),
        utterances,
        scores,
        noisy,
        finished,
        tuple(int(count) for count in failures),
        {label: given for label, given in (left_after or {}).items() if given < len(seeds)},
        found - len(utterances),
        lower,
        apart=frozenset(apart),
    )


def _table(rows: pd.DataFrame, labels: Sequence[str], seeds: Sequence[int], utterances: pd.Index) -> Array:
    """(candidates + noisy, seeds + noisy's, utterances): the values with status ok, else NaN."""
    table = np.full((len(labels) + 1, len(seeds) + 1, len(utterances)), np.nan)
    row = pd.Index([*labels, NOISY]).get_indexer(pd.Index(rows["candidate"]))
    column = pd.Index([*seeds, -1]).get_indexer(pd.Index(rows["seed"]))
    value = np.where(rows["status"] == "ok", rows["value"].to_numpy(float, na_value=np.nan), np.nan)
    known = column >= 0
    table[row[known], column[known], utterances.get_indexer(pd.Index(rows["utterance"]))[known]] = value[known]
    return table


def _trained(
    rows: pd.DataFrame, labels: Sequence[str], seeds: Sequence[int], failed_jobs: Collection[tuple[str, int]]
) -> NDArray[np.bool_]:
    """(candidates, seeds): the job left rows and is not among the failed."""
    present = set(rows[["candidate", "seed"]].drop_duplicates().itertuples(index=False, name=None)) - set(failed_jobs)
    trained = [[(label, seed) in present for seed in seeds] for label in labels]
    return np.array(trained, dtype=bool).reshape(len(labels), len(seeds))
