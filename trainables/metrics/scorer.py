"""The Scorer: references and estimates in, one row per utterance and metric out.

A metric that cannot be computed gives a row with a status and no value, never a made-up number: silence
and crashes must not pay, and one bad clip must not lose a night's scores.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from trainables.base.errors import UserError
from trainables.metrics import Unscorable, composite, pesq
from trainables.metrics.alignment import align
from trainables.metrics.catalogue import IMPROVEMENTS, METRICS, known_metrics
from trainables.metrics.dnsmos import dnsmos
from trainables.metrics.log_likelihood_ratio import log_likelihood_ratio
from trainables.metrics.sdr import sdr
from trainables.metrics.segmental_snr import fitted_segmental_snr, segmental_snr
from trainables.metrics.si_sdr import si_sdr
from trainables.metrics.stoi import stoi
from trainables.metrics.weighted_spectral_slope import weighted_spectral_slope

__all__ = ["METRICS", "Scorer", "mean_of_ok", "score_utterance"]

Row = dict[str, Any]
SILENCE = 0.5 / 2**15  # peak around the mean; below half a step, 16-bit audio is all zeros


class Utterance(NamedTuple):
    """What is scored: float waveforms (samples,) in about [-1, 1]."""

    id: str
    reference: np.ndarray
    estimate: np.ndarray


class Scorer:
    """Scores estimates against references by the metrics of `catalogue` (None = the everyday ones).

    `map_fn(function, iterable)` runs the utterances: `map`, or the `map` of a process pool.
    Raises UserError at an unknown metric, or where PESQ is asked for at another rate than 16 kHz.
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

    def score(
        self, ids: Sequence[str], references: Sequence[np.ndarray], estimates: Sequence[np.ndarray]
    ) -> list[Row]:
        """One row per utterance and metric, in the order given.

        A row holds utterance, metric, value (float or None), status ("ok", "silent_reference",
        "no_utterance", "non_finite", "too_short" or "error: ..."), and gain, polarity (-1, 0, 1) and lag
        (samples) of the estimate, None where nothing can be scored.
        Raises ValueError, naming the utterance, where a pair is no pair of equally long float waveforms.
        """
        utterances = [Utterance(*each) for each in zip(ids, references, estimates, strict=True)]
        for utterance in utterances:
            _check_waveforms(utterance)
        judge = partial(score_utterance, metrics=self.metrics, sample_rate=self.sample_rate)
        return [row for rows in self.map_fn(judge, utterances) for row in rows]


def score_utterance(utterance: Utterance, metrics: Sequence[str], sample_rate: int) -> list[Row]:
    """The rows of one utterance; top level, so that a process pool can be sent it."""
    reference, estimate = utterance.reference, utterance.estimate
    status = _signal_status(reference, estimate)
    if status != "ok":
        nothing = {"gain": None, "polarity": None, "lag": None}
        return [_row(utterance.id, metric, None, status, nothing) for metric in metrics]
    placement = asdict(align(reference, estimate, sample_rate))
    needed = {name for metric in metrics for name in _INGREDIENTS[metric]}
    measured = {name: _measure(name, reference, estimate, sample_rate) for name in sorted(needed)}
    return [_row(utterance.id, metric, *_combine(metric, measured), placement) for metric in metrics]


def mean_of_ok(rows: Iterable[Mapping[str, Any]], metric: str) -> tuple[float | None, int, int]:
    """(mean over the rows of `metric` that are ok, or None; how many are ok; how many failed)."""
    chosen = [row for row in rows if row["metric"] == metric]
    values = [row["value"] for row in chosen if row["status"] == "ok"]
    mean = math.fsum(values) / len(values) if values else None
    return mean, len(values), len(chosen) - len(values)


def _wb_pesq(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    return pesq.wb_pesq(reference, estimate)


def _nb_pesq(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    return pesq.nb_pesq(reference, estimate)


def _si_sdr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    return si_sdr(reference, estimate)


def _sdr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    return sdr(reference, estimate)


# What metrics are made of: each is computed at most once for an utterance, and only if asked for.
_MEASURES: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    "wb_pesq": _wb_pesq,
    "nb_pesq": _nb_pesq,
    "stoi": stoi,
    "si_sdr": _si_sdr,
    "sdr": _sdr,
    "segsnr": segmental_snr,
    "segsnr_fitted": fitted_segmental_snr,
    "llr": log_likelihood_ratio,
    "wss": weighted_spectral_slope,
    "dnsmos": dnsmos,
}

# Composites: the formula takes its ingredients in this order. PESQ and WSS don't hear the level, so
# only the segmental SNR of the fitted CBAK is taken anew.
_COMPOSITES: dict[str, tuple[Callable[..., float], tuple[str, ...]]] = {
    "csig": (composite.csig, ("wb_pesq", "llr", "wss")),
    "cbak": (composite.cbak, ("wb_pesq", "wss", "segsnr")),
    "covl": (composite.covl, ("wb_pesq", "llr", "wss")),
    "cbak_fitted": (composite.cbak, ("wb_pesq", "wss", "segsnr_fitted")),
}

_INGREDIENTS = {
    name: _COMPOSITES[name][1] if name in _COMPOSITES else (name,)
    for name in METRICS
    if name not in IMPROVEMENTS
}


_AT_16_KHZ = {"wb_pesq", "nb_pesq", "dnsmos"}


def _measure(
    name: str, reference: np.ndarray, estimate: np.ndarray, sample_rate: int
) -> tuple[float | None, str]:
    """(value, "ok") or (None, why there is none)."""
    try:
        value = _MEASURES[name](reference, estimate, sample_rate)
    except Unscorable as failure:
        return None, failure.status
    except Exception as error:  # a metric's library may fail in any way; the row says how
        return None, f"error: {type(error).__name__}: {error}"
    return (value, "ok") if math.isfinite(value) else (None, "non_finite")


def _combine(metric: str, measured: Mapping[str, tuple[float | None, str]]) -> tuple[float | None, str]:
    """The metric's (value, status): its own measure, or its formula unless an ingredient failed."""
    if metric not in _COMPOSITES:
        return measured[metric]
    formula, ingredients = _COMPOSITES[metric]
    for name in ingredients:
        if measured[name][1] != "ok":
            return measured[name]
    return formula(*(measured[name][0] for name in ingredients)), "ok"


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
                f"{IMPROVEMENTS[metric]!r}, whose gain over the noisy input is shown beside it"
            )


def _check_sample_rate(metrics: Sequence[str], sample_rate: int) -> None:
    for metric in metrics:
        if _AT_16_KHZ & set(_INGREDIENTS[metric]) and sample_rate != pesq.SAMPLE_RATE:
            raise UserError(
                f"metric {metric!r} needs audio at {pesq.SAMPLE_RATE} Hz, this is at {sample_rate} Hz: "
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
