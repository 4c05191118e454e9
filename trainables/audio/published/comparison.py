"""A fixed sample of a corpus's noisy input, scored and compared with the published figures.

The published figure is the mean over the whole split, of which the sample is drawn without replacement: the interval of
the split's mean is a t interval with the correction for a finite population, widened by the rounding of the printed
figure. All of a corpus's intervals hold together with 99 % (Bonferroni), so a right corpus is doubted once in a hundred
times at most.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.audio.corpus.corpus import Corpus, MixtureTable, PairedTable, Table
from trainables.audio.published.figures import Published, rounding
from trainables.base.randomness import generator
from trainables.metrics.mixture_scorer import Mixture, score_mixtures
from trainables.metrics.scorer import Scorer

ROWS = 100  # of the sample: some 10 s with PESQ
CONFIDENCE = 0.99  # of all intervals of a corpus together
FEWEST = 3  # scored rows for an interval

Progress = Callable[[int, int], None]  # (rows done, rows in all)


@dataclass(frozen=True)
class Compared:
    """One figure: the sample's mean and where, by the sample, the split's may lie; None where too few rows scored."""

    metric: str
    published: str
    mean: float | None
    low: float
    high: float
    scored: int

    @property
    def agrees(self) -> bool:
        """Whether the published figure lies in the interval."""
        return self.mean is not None and self.low <= float(self.published) <= self.high


@dataclass(frozen=True)
class Comparison:
    """Rows `drawn`, of a split that has `of`, were scored."""

    split: str
    figures: tuple[Compared, ...]
    drawn: tuple[int, ...]
    of: int

    @property
    def agrees(self) -> bool:
        return all(figure.agrees for figure in self.figures)


def figures_for(corpus: Corpus, published: Sequence[Published]) -> Published | None:
    """Those that hold for a corpus of this rate and this many voices."""
    if corpus.kind == "speech+noise":
        return None
    voices = corpus.mixtures("test").voices if corpus.kind == "mixtures" else 1
    return next((each for each in published if (each.voices, each.sample_rate) == (voices, corpus.sample_rate)), None)


def compare(
    corpus: Corpus, published: Published, split: str = "test", rows: int = ROWS, progress: Progress | None = None
) -> Comparison:
    """The figures of a sample of `rows`, the same for the same corpus."""
    table = split_table(corpus, split)
    drawn = sample_rows(table, rows)
    scores: dict[str, list[float]] = {metric: [] for metric in published.scores}
    for done, row in enumerate(drawn, start=1):
        for scored in _scores_of(table, row, tuple(scores)):
            if scored["status"] == "ok":
                scores[scored["metric"]].append(scored["value"])
        if progress:
            progress(done, len(drawn))
    tail = (1 - CONFIDENCE) / 2 / len(scores)
    figures = [_compared(metric, published.scores[metric], scores[metric], len(table), tail) for metric in scores]
    return Comparison(split, tuple(figures), drawn, len(table))


def split_table(corpus: Corpus, split: str) -> PairedTable | MixtureTable:
    return corpus.mixtures(split) if corpus.kind == "mixtures" else corpus.paired(split)


def sample_rows(table: Table, rows: int) -> tuple[int, ...]:
    """Rows in a fixed shuffled order, the first `rows` of it."""
    order = generator(0, f"published {table.split}").permutation(len(table))
    return tuple(int(row) for row in order[:rows])


def _scores_of(table: PairedTable | MixtureTable, row: int, metrics: Sequence[str]) -> list[dict[str, Any]]:
    rate = table.corpus.sample_rate
    if isinstance(table, MixtureTable):
        voices = table.sources(row)
        mixture = voices.sum(axis=0)
        return score_mixtures([Mixture("row", mixture, voices, np.stack([mixture] * len(voices)))], metrics, rate)
    return Scorer(metrics, rate).score(["row"], [table.clean(row)], [table.noisy(row)])


def _compared(metric: str, printed: str, values: Sequence[float], population: int, tail: float) -> Compared:
    from scipy.stats import t

    count = len(values)
    if count < FEWEST:
        return Compared(metric, printed, None, -math.inf, math.inf, count)
    mean = float(np.mean(values))
    unseen = max(0.0, 1 - count / population)
    error = float(t.ppf(1 - tail, count - 1) * np.std(values, ddof=1) * math.sqrt(unseen / count))
    reach = error + rounding(printed)
    return Compared(metric, printed, mean, mean - reach, mean + reach, count)
