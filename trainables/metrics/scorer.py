"""The Scorer: references and estimates in, one row per utterance and metric out.

A metric that cannot be computed gives a row with a status and no value, never a made-up number: silence
and crashes must not pay, and one bad clip must not lose a night's scores.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from trainables.base.errors import UserError
from trainables.base.plugins import load
from trainables.metrics import Unscorable
from trainables.metrics.alignment import align
from trainables.metrics.catalogue import IMPROVEMENTS, INGREDIENTS, METRICS, known_metrics

Row = dict[str, Any]
UNPLACED = {"gain": None, "polarity": None, "lag": None}  # where there is no alignment
SILENCE = 0.5 / 2**15  # peak around the mean; below half a step, 16-bit audio is all zeros


class Utterance(NamedTuple):
    """What is scored: float waveforms (samples,) in about [-1, 1]."""

    id: str
    reference: np.ndarray
    estimate: np.ndarray


class Scorer:
    """Scores estimates against references by the metrics of `catalogue` (None = the everyday ones).

    `map_fn(function, iterable)` runs the utterances: `map`, or the `map` of a process pool.
    Raises UserError at an unknown metric, or where one is asked for at another rate than its own.
    """

    def __init__(
        self,
        metrics: Iterable[str] | None = None,
        sample_rate: int = 16000,
        map_fn: Callable[..., Iterable[list[Row]]] = map,
    ) -> None:
        self.metrics = known_metrics(metrics)
        self.sample_rate = sample_rate
        self.map_fn = map_fn
        _check_single_voice(self.metrics)
        _check_sample_rate(self.metrics, sample_rate)

    def score(self, ids: Sequence[str], references: Sequence[np.ndarray], estimates: Sequence[np.ndarray]) -> list[Row]:
        """One row per utterance and metric, in the order given.

        A row holds utterance, metric, value (float or None), status ("ok", "silent_reference",
        "no_utterance", "non_finite", "too_short" or "error: ..."), and gain, polarity (-1, 0, 1) and lag
        (samples) of the estimate, None where nothing can be scored.
        Raises ValueError, naming the utterance, where a pair is no pair of equally long float waveforms.
        """
        utterances = [Utterance(*each) for each in zip(ids, references, estimates, strict=True)]
        for utterance in utterances:
            _check_waveforms(utterance)
        score_one = partial(score_utterance, metrics=self.metrics, sample_rate=self.sample_rate)
        return [row for rows in self.map_fn(score_one, utterances) for row in rows]


def score_utterance(utterance: Utterance, metrics: Sequence[str], sample_rate: int) -> list[Row]:
    """The rows of one utterance; top level, so that a process pool can be sent it."""
    reference, estimate = utterance.reference, utterance.estimate
    status = _signal_status(reference, estimate)
    if status != "ok":
        return [_row(utterance.id, metric, None, status, UNPLACED) for metric in metrics]
    placement = asdict(align(reference, estimate, sample_rate))
    needed = {name for metric in metrics for name in _ingredients(metric)}
    measured = {name: _measure(name, reference, estimate, sample_rate) for name in sorted(needed)}
    return [_row(utterance.id, metric, *_combine(metric, measured), placement) for metric in metrics]


def mean_of_ok(rows: Iterable[Mapping[str, Any]], metric: str) -> tuple[float | None, int, int]:
    """(mean over the rows of `metric` that are ok, or None; how many are ok; how many failed)."""
    chosen = [row for row in rows if row["metric"] == metric]
    values = [row["value"] for row in chosen if row["status"] == "ok"]
    mean = math.fsum(values) / len(values) if values else None
    return mean, len(values), len(chosen) - len(values)


def _ingredients(metric: str) -> tuple[str, ...]:
    """What it is made of, itself where it is no formula; each is computed at most once for an utterance."""
    return METRICS[metric].ingredients or (metric,)


@cache
def _function(name: str) -> Callable[[np.ndarray, np.ndarray, int], float]:
    """What computes a metric or an ingredient."""
    function = load(INGREDIENTS[name] if name in INGREDIENTS else METRICS[name].function)
    if len(signature(function).parameters) == 2:
        return lambda reference, estimate, sample_rate: function(reference, estimate)
    return function


def _measure(name: str, reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> tuple[float | None, str]:
    """(value, "ok") or (None, why there is none)."""
    try:
        value = _function(name)(reference, estimate, sample_rate)
    except Unscorable as failure:
        return None, failure.status
    except Exception as error:  # a metric's library may fail in any way; the row says how
        return None, f"error: {type(error).__name__}: {error}"
    return (value, "ok") if math.isfinite(value) else (None, "non_finite")


def _combine(metric: str, measured: Mapping[str, tuple[float | None, str]]) -> tuple[float | None, str]:
    """The metric's (value, status): its own measure, or its formula unless an ingredient failed."""
    ingredients = METRICS[metric].ingredients
    if not ingredients:
        return measured[metric]
    for name in ingredients:
        if measured[name][1] != "ok":
            return measured[name]
    return load(METRICS[metric].function)(*(measured[name][0] for name in ingredients)), "ok"


def _row(utterance: str, metric: str, value: float | None, status: str, placement: Mapping[str, Any]) -> Row:
    return {"utterance": utterance, "metric": metric, "value": value, "status": status, **placement}


def _signal_status(reference: np.ndarray, estimate: np.ndarray) -> str:
    """`ok`, or why no metric can mean anything on this pair."""
    if not (np.isfinite(reference).all() and np.isfinite(estimate).all()):
        return "non_finite"
    if _is_silent(reference):
        return "silent_reference"
    return "no_utterance" if _is_silent(estimate) else "ok"


def _is_silent(signal: np.ndarray) -> bool:
    return signal.size == 0 or bool(np.abs(signal - signal.mean(dtype=np.float64)).max() < SILENCE)


def _check_single_voice(metrics: Sequence[str]) -> None:
    for metric in metrics:
        if metric in IMPROVEMENTS:
            raise UserError(
                f"metric {metric!r} is of separated mixtures, these are single voices: use "
                f"{IMPROVEMENTS[metric]!r}, whose gain over the noisy input is shown with it"
            )


def _check_sample_rate(metrics: Sequence[str], sample_rate: int) -> None:
    for metric in metrics:
        for name in set(_ingredients(metric)) - INGREDIENTS.keys():
            needed = METRICS[name].sample_rate
            if needed not in (None, sample_rate):
                raise UserError(
                    f"metric {metric!r} needs audio at {needed} Hz, this is at {sample_rate} Hz: "
                    "resample it, or leave the metric out"
                )


def _check_waveforms(utterance: Utterance) -> None:
    shapes = utterance.reference.shape, utterance.estimate.shape
    if shapes[0] != shapes[1] or len(shapes[0]) != 1:
        raise ValueError(
            f"utterance {utterance.id!r}: reference and estimate must be (samples,) of one length, "
            f"they are {shapes[0]} and {shapes[1]}"
        )
    for signal in (utterance.reference, utterance.estimate):
        if not np.issubdtype(signal.dtype, np.floating):
            raise ValueError(f"utterance {utterance.id!r}: waveforms must be float, this is {signal.dtype}")
