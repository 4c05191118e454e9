"""The fixed clips a job is evaluated on, kept in memory from one job to the next, and the scores of its estimates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.job.assignment import DataSettings
from trainables.metrics.catalogue import METRICS, SEPARATION, known_metrics
from trainables.metrics.mixture_scorer import Mixture, score_mixtures
from trainables.metrics.scorer import NO_MODELS, NOT_COMPUTED, UNPLACED, Outcome, Scorer, row_of, signal_status

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import EvaluationClip

Measured = Mapping[str, Mapping[str, Outcome]]  # utterance -> metric, of a method's own measures
NOTHING: Measured = MappingProxyType({})

_LARGEST = 4  # sets kept: valid and test of a sweep, and those of the one before
_clips: dict[tuple[Any, ...], list["EvaluationClip"]] = {}


def evaluation_clips(corpus: "Corpus", data: DataSettings, split: str) -> list["EvaluationClip"]:
    """The split's evaluation set, the same for all jobs; callers must not change it.

    Raises:
        UserError: the split has nothing to evaluate on.
    """
    from trainables.audio.examples.mixing import evaluation_set
    from trainables.audio.examples.speaker_mixtures import mixture_set

    key = (corpus.fingerprint, split, *sorted(asdict(data).items()))
    if key not in _clips:
        while len(_clips) >= _LARGEST:
            _clips.pop(next(iter(_clips)))
        _clips[key] = (mixture_set if data.speakers > 1 else evaluation_set)(corpus, data, split)
    return _clips[key]


def score_clips(
    clips: Sequence["EvaluationClip"],
    estimates: Sequence[np.ndarray],
    metrics: Iterable[str] | None,
    data: DataSettings,
    models: Mapping[str, str] = NO_MODELS,
    measured: Measured = NOTHING,
    slow_clips: int | None = None,
) -> list[dict[str, Any]]:
    """One row per clip and metric; by default all metrics of one voice in noise, or of several voices.

    `models`: metric -> place of the model that it needs. `slow_clips`: slow metrics are computed on the first so many
    clips, each of another speaker as far as there are, and the others' rows say "not_computed". `measured`: what a
    method itself has measured; its rows come last, and of estimates that cannot be scored they say why, as all do.
    """
    if metrics is not None:
        metrics = [name for name in known_metrics(metrics) if not METRICS[name].measured]
    if slow_clips is None:
        rows = _computed(clips, estimates, metrics, data, models)
    else:
        rows = _computed(clips[:slow_clips], estimates[:slow_clips], metrics, data, models)
        chosen = (SEPARATION if data.speakers > 1 else known_metrics(None)) if metrics is None else metrics
        slow = [name for name in chosen if METRICS[name].slow]
        quick = [name for name in chosen if not METRICS[name].slow]
        rows += _computed(clips[slow_clips:], estimates[slow_clips:], quick, data, models)
        spared = Outcome(None, NOT_COMPUTED)
        rows += [row_of(clip.utterance, name, spared, UNPLACED) for clip in clips[slow_clips:] for name in slow]
    for clip, estimate in zip(clips, estimates, strict=True):
        found = measured.get(clip.utterance, {})
        status = _status(clip, estimate) if found else "ok"
        for name, outcome in found.items():
            rows.append(row_of(clip.utterance, name, outcome if status == "ok" else Outcome(None, status), UNPLACED))
    return rows


def _status(clip: "EvaluationClip", estimate: np.ndarray) -> str:
    """Of one voice or of each of several: "ok", or why there is no score."""
    pairs = zip(np.atleast_2d(clip.clean), np.atleast_2d(estimate), strict=True)
    return next((status for pair in pairs if (status := signal_status(*pair)) != "ok"), "ok")


def _computed(
    clips: Sequence["EvaluationClip"],
    estimates: Sequence[np.ndarray],
    metrics: Iterable[str] | None,
    data: DataSettings,
    models: Mapping[str, str],
) -> list[dict[str, Any]]:
    if data.speakers > 1:
        scored = zip(clips, estimates, strict=True)
        mixtures = [Mixture(clip.utterance, clip.noisy, clip.clean, estimate) for clip, estimate in scored]
        return score_mixtures(mixtures, metrics, data.sample_rate, models)
    ids, references = [clip.utterance for clip in clips], [clip.clean for clip in clips]
    texts = [clip.text for clip in clips]
    return Scorer(metrics, data.sample_rate, models=models).score(ids, references, estimates, texts)
