"""Scores of separated mixtures: one row per mixture and metric, each the mean over its sources.

The outputs of a separator have no order of their own, so they are first assigned to the references by SI-SDR;
every metric then uses that assignment. An improvement is the metric of the estimates minus that of the
unprocessed mixture, which is computed once for a mixture however many jobs are scored on it.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from trainables.metrics import Unscorable
from trainables.metrics.catalogue import IMPROVEMENTS, SEPARATION, known_metrics, with_shared_models
from trainables.metrics.scorer import NO_MODELS, UNPLACED, Outcome, Row, Utterance, row_of, score_utterance
from trainables.metrics.si_sdr import si_sdr

_KEPT_INPUTS = 4096  # mixtures whose own scores a process caches
_input_scores: dict[tuple[str, str, int], dict[str, Outcome]] = {}


class Mixture(NamedTuple):
    """What is scored: float waveforms, (samples,) and (sources, samples)."""

    id: str
    mixture: np.ndarray
    references: np.ndarray
    estimates: np.ndarray


def score_mixtures(
    mixtures: Sequence[Mixture],
    metrics: Iterable[str] | None,
    sample_rate: int,
    models: Mapping[str, str] = NO_MODELS,
) -> list[Row]:
    """One row per mixture and metric (None = those of `catalogue.SEPARATION`), in the order given.

    `models` as in `Scorer`. Rows are as in `Scorer.score`; gain, polarity and lag are None. A source that cannot be
    scored gives the row its status: half a separation is no separation.

    Raises:
        UserError: an unknown metric.
        ValueError: references and estimates differ in shape; the message names the mixture.
    """
    chosen = SEPARATION if metrics is None else known_metrics(metrics)
    for item in mixtures:
        _check_shapes(item)
    models = with_shared_models(chosen, models)
    return [row for item in mixtures for row in _score_mixture(item, chosen, sample_rate, models)]


def _score_mixture(item: Mixture, metrics: Sequence[str], sample_rate: int, models: Mapping[str, str]) -> list[Row]:
    basic = sorted({IMPROVEMENTS.get(metric, metric) for metric in metrics})
    improved = sorted({IMPROVEMENTS[metric] for metric in metrics if metric in IMPROVEMENTS})
    order = best_order(item.references, item.estimates)
    found = _mean_over_sources(item.id, item.references, item.estimates[order], basic, sample_rate, models)
    unprocessed = _score_input(item, improved, sample_rate)
    return [row_of(item.id, metric, _outcome(metric, found, unprocessed), UNPLACED) for metric in metrics]


def best_order(references: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """(sources,): the estimate that belongs to each reference, by the highest mean SI-SDR.

    The order given where there is none: values that are not finite, or too few samples.
    """
    from scipy.optimize import linear_sum_assignment  # not above: workers that score one voice do without it

    if not np.isfinite(estimates).all():
        return np.arange(len(estimates))
    try:
        scores = [[si_sdr(reference, estimate) for estimate in estimates] for reference in references]
    except Unscorable:
        return np.arange(len(estimates))
    return linear_sum_assignment(scores, maximize=True)[1]


def _score_input(item: Mixture, metrics: Sequence[str], sample_rate: int) -> dict[str, Outcome]:
    """The mixture as its own estimate of every source."""
    content = hashlib.blake2b(item.references.tobytes() + item.mixture.tobytes()).hexdigest()
    key = (content, ",".join(metrics), sample_rate)
    if key not in _input_scores:
        if len(_input_scores) >= _KEPT_INPUTS:
            _input_scores.clear()
        repeated = np.broadcast_to(item.mixture, item.references.shape)
        _input_scores[key] = _mean_over_sources(item.id, item.references, repeated, metrics, sample_rate)
    return _input_scores[key]


def _mean_over_sources(
    name: str,
    references: np.ndarray,
    estimates: np.ndarray,
    metrics: Sequence[str],
    sample_rate: int,
    models: Mapping[str, str] = NO_MODELS,
) -> dict[str, Outcome]:
    """Metric -> its mean over the sources, by weight where it has one, or the status of the first that has no value."""
    rows: dict[str, list[Row]] = {metric: [] for metric in metrics}
    for reference, estimate in zip(references, estimates, strict=True):
        for row in score_utterance(Utterance(name, reference, estimate), metrics, sample_rate, models):
            rows[row["metric"]].append(row)
    return {metric: _mean(each) for metric, each in rows.items()}


def _mean(rows: Sequence[Row]) -> Outcome:
    for row in rows:
        if row["status"] != "ok":
            return Outcome(None, row["status"])
    weights = [row.get("weight", 1.0) for row in rows]
    total = math.fsum(weights)
    mean = math.fsum(row["value"] * weight for row, weight in zip(rows, weights, strict=True)) / total
    return Outcome(mean, "ok", total if "weight" in rows[0] else None)


def _outcome(metric: str, found: dict[str, Outcome], unprocessed: dict[str, Outcome]) -> Outcome:
    if metric not in IMPROVEMENTS:
        return found[metric]
    after, before = found[IMPROVEMENTS[metric]], unprocessed[IMPROVEMENTS[metric]]
    if after.value is None or before.value is None:
        return Outcome(None, after.status if after.value is None else before.status)
    return Outcome(after.value - before.value, "ok")


def _check_shapes(item: Mixture) -> None:
    references, estimates = item.references.shape, item.estimates.shape
    if len(references) != 2 or references != estimates or item.mixture.shape != references[1:]:
        raise ValueError(
            f"mixture {item.id!r}: references and estimates must be (sources, samples) of one shape and the "
            f"mixture (samples,); they are {references}, {estimates} and {item.mixture.shape}"
        )
