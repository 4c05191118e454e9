"""The Scorer: references and estimates in, one row per utterance and metric out.

A metric that cannot be computed gives a row with a status and no value, never a made-up number: silence
and crashes must not pay, and one bad clip must not lose a night's scores.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, lru_cache, partial
from inspect import signature
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from trainables.base.errors import UserError
from trainables.base.plugins import load
from trainables.metrics import Unscorable, Weighted
from trainables.metrics.alignment import align
from trainables.metrics.catalogue import IMPROVEMENTS, INGREDIENTS, METRICS, known_metrics, with_shared_models

Row = dict[str, Any]
UNPLACED = {"gain": None, "polarity": None, "lag": None}  # where there is no alignment
NO_MODELS: Mapping[str, str] = MappingProxyType({})
NOT_COMPUTED = "not_computed"  # status of a slow metric's row where it was spared; no failure
SILENCE = 0.5 / 2**15  # peak around the mean; below half a step, 16-bit audio is all zeros


class Utterance(NamedTuple):
    """What is scored: float waveforms (samples,) in about [-1, 1]."""

    id: str
    reference: np.ndarray
    estimate: np.ndarray
    text: str | None = None  # what is said in the reference, where it is known


class Outcome(NamedTuple):
    """Of a metric and an utterance: the value, None unless the status is "ok", and what it counts in a mean."""

    value: float | None
    status: str
    weight: float | None = None  # None = as much as any other


class Scorer:
    """Scores estimates against references by the metrics of `catalogue` (None = the everyday ones).

    `models`: metric -> place, of those that need a model.
    `map_fn(function, iterable)` runs the utterances: `map`, or the `map` of a process pool.
    Raises UserError at an unknown metric, or where one is asked for at another rate than its own.
    """

    def __init__(
        self,
        metrics: Iterable[str] | None = None,
        sample_rate: int = 16000,
        map_fn: Callable[..., Iterable[list[Row]]] = map,
        models: Mapping[str, str] | None = None,
    ) -> None:
        self.metrics = known_metrics(metrics)
        self.models = with_shared_models(self.metrics, models or {})
        self.sample_rate = sample_rate
        self.map_fn = map_fn
        _check_single_voice(self.metrics)
        _check_sample_rate(self.metrics, sample_rate)

    def score(
        self,
        ids: Sequence[str],
        references: Sequence[np.ndarray],
        estimates: Sequence[np.ndarray],
        texts: Sequence[str | None] | None = None,
    ) -> list[Row]:
        """One row per utterance and metric, in the order given; `texts` are what is said in the references.

        A row holds utterance, metric, value (float or None), status ("ok", "silent_reference", "no_utterance",
        "non_finite", "too_short", "no_transcript", "empty_reference" or "error: ..."), and gain, polarity (-1, 0, 1)
        and lag (samples) of the estimate, None where nothing can be scored; of an error rate also weight, the units
        (words) by which the rate over a corpus counts the utterance.
        Raises ValueError, naming the utterance, where a pair is no pair of equally long float waveforms.
        """
        spoken = [None] * len(ids) if texts is None else texts
        utterances = [Utterance(*each) for each in zip(ids, references, estimates, spoken, strict=True)]
        for utterance in utterances:
            _check_waveforms(utterance)
        score_one = partial(score_utterance, metrics=self.metrics, sample_rate=self.sample_rate, models=self.models)
        return [row for rows in self.map_fn(score_one, utterances) for row in rows]


def score_utterance(
    utterance: Utterance, metrics: Sequence[str], sample_rate: int, models: Mapping[str, str] = NO_MODELS
) -> list[Row]:
    """The rows of one utterance; top level, so that a process pool can be sent it."""
    reference, estimate = utterance.reference, utterance.estimate
    status = signal_status(reference, estimate)
    if status != "ok":
        return [row_of(utterance.id, metric, Outcome(None, status), UNPLACED) for metric in metrics]
    placement = asdict(align(reference, estimate, sample_rate))
    needed = {name for metric in metrics for name in _ingredients(metric)}
    measured = {name: _measure(name, utterance, sample_rate, models.get(name, "")) for name in sorted(needed)}
    return [row_of(utterance.id, metric, _combine(metric, measured), placement) for metric in metrics]


def mean_of_ok(rows: Iterable[Mapping[str, Any]], metric: str) -> tuple[float | None, int, int]:
    """(mean over the rows of `metric` that are ok, or None; how many are ok; how many failed)."""
    chosen = [row for row in rows if row["metric"] == metric and row["status"] != NOT_COMPUTED]
    values = [row["value"] for row in chosen if row["status"] == "ok"]
    mean = math.fsum(values) / len(values) if values else None
    return mean, len(values), len(chosen) - len(values)


def _ingredients(metric: str) -> tuple[str, ...]:
    """What it is made of, itself where it is no formula; each is computed at most once for an utterance."""
    return METRICS[metric].ingredients or (metric,)


@cache
def _function(name: str) -> tuple[Callable[..., float | Weighted], int]:
    """What computes a metric or an ingredient, and how many arguments it takes."""
    if name in METRICS and METRICS[name].measured:
        raise UserError(f"metric {name!r} is measured by a method on its own estimates; no waveforms give it")
    function = load(INGREDIENTS[name] if name in INGREDIENTS else METRICS[name].function)
    return function, len(signature(function).parameters)


def load_model(metric: str, place: str) -> Any:
    """The model at `place` as the metric needs it; loaded once a process. Raises UserError where it cannot serve."""
    return _loaded(METRICS[metric].loader, place)


def can_be_loaded(metric: str, place: str) -> bool:
    """True; raises UserError where `load_model` does. For another process, to which a model need not be sent."""
    load_model(metric, place)
    return True


@lru_cache(maxsize=4)
def _loaded(loader: str, place: str) -> Any:
    return load(loader)(place)


def _measure(name: str, utterance: Utterance, sample_rate: int, place: str) -> Outcome:
    """The value, or why there is none; `place` of the model that the metric needs.

    Raises UserError where that cannot be loaded: every row would say so.
    """
    _, reference, estimate, text = utterance
    model = load_model(name, place) if place else None
    function, count = _function(name)
    try:
        found = function(*(reference, estimate, sample_rate, model, text)[:count])
    except Unscorable as failure:
        return Outcome(None, failure.status)
    except Exception as error:  # a metric's library may fail in any way; the row says how
        return Outcome(None, f"error: {type(error).__name__}: {error}")
    value, weight = found if isinstance(found, Weighted) else (found, None)
    if isinstance(value, tuple):  # an ingredient of several numbers
        return Outcome(value, "ok", weight) if np.isfinite(value).all() else Outcome(None, "non_finite")
    return finite(value, weight)


def finite(value: float, weight: float | None = None) -> Outcome:
    """The outcome of a metric that gave this value."""
    return Outcome(float(value), "ok", weight) if math.isfinite(value) else Outcome(None, "non_finite")


def _combine(metric: str, measured: Mapping[str, Outcome]) -> Outcome:
    """The metric's own measure, or its formula unless an ingredient failed."""
    ingredients = METRICS[metric].ingredients
    if not ingredients:
        return measured[metric]
    for name in ingredients:
        if measured[name].status != "ok":
            return measured[name]
    return Outcome(load(METRICS[metric].function)(*(measured[name].value for name in ingredients)), "ok")


def row_of(utterance: str, metric: str, found: Outcome, placement: Mapping[str, Any]) -> Row:
    """The row; `placement` is gain, polarity and lag."""
    row = {"utterance": utterance, "metric": metric, "value": found.value, "status": found.status, **placement}
    return row if found.weight is None else {**row, "weight": found.weight}


def signal_status(reference: np.ndarray, estimate: np.ndarray) -> str:
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
        for name in {metric, *_ingredients(metric)} - INGREDIENTS.keys():
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
