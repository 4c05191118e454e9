"""Scores of an evaluation set: our scorer, and torchmetrics by its functions, both in one process with one thread.

The noisy clips of the demo's test set are scored as they are. Ours gives a row with a status for each clip, and aligns
the estimate with the reference (gain, polarity, lag) before any metric; torchmetrics computes the metric alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context, in_turn, per_second
from benchmarks.parts.demo import demo_corpus
from trainables.base.determinism import limit_blas_threads
from trainables.base.memory import keep_freed_memory
from trainables.evaluation import evaluation_clips
from trainables.job.assignment import DataSettings
from trainables.metrics.scorer import Scorer

RATE = 16000
PEER = "torchmetrics"
# By metric, why the two differ in speed.
WHY = {
    "wb_pesq": "both call the same C code of the `pesq` package; ours aligns the clip before",
    "stoi": "both call the `pystoi` package; ours aligns the clip before",
    "estoi": "both call the `pystoi` package; ours aligns the clip before",
    "sdr": "both solve for 512 filter taps in float64, ours by numpy, torchmetrics by torch",
    "si_sdr": "either library takes about a tenth of a millisecond; the rest of ours is the check for silence, the row "
    "and most of all the alignment, which says for every clip whether level, polarity or delay are off",
}
TOLERANCE = {"wb_pesq": 0.01, "stoi": 1e-3, "estoi": 1e-3, "sdr": 0.05, "si_sdr": 0.01}


def measure(context: Context) -> list[Finding]:
    torch.set_num_threads(1)
    limit_blas_threads(1)
    keep_freed_memory()  # as scoring workers do; both gain
    data = DataSettings(test_seconds=context.size(60, 2))
    clips = evaluation_clips(demo_corpus(context), data, "test")
    references, estimates = [clip.clean for clip in clips], [clip.noisy for clip in clips]
    theirs = {} if context.missing else _functions()
    rounds = context.size(3, 1)
    found: list[Finding] = []
    for name in WHY:
        context.say(f"{name}, {len(clips)} clips")
        ours = Scorer([name], RATE)
        values: dict[str, list[float]] = {}

        def score(scorer: Scorer = ours, values: dict[str, list[float]] = values) -> None:
            rows = scorer.score([clip.utterance for clip in clips], references, estimates)
            values["ours"] = [row["value"] for row in rows]

        def peer(
            name: str = name,
            values: dict[str, list[float]] = values,
        ) -> None:
            values["theirs"] = [theirs[name](*pair) for pair in zip(references, estimates, strict=True)]

        seconds, other = in_turn(rounds, score, peer if theirs else None)
        found.append(
            Comparison(
                what=name,
                unit="clips/s on a core",
                peer=PEER,
                ours=per_second(len(clips), seconds),
                theirs=per_second(len(clips), other),
                more_is_better=True,
                why=WHY[name],
            )
        )
        if theirs:
            found.append(_agreement(name, values))
    return found


def _agreement(name: str, values: dict[str, list[float]]) -> Fact:
    """How far apart the two libraries' values are; a speed says nothing about another quantity."""
    apart = float(np.abs(np.subtract(values["ours"], values["theirs"])).max())
    if apart > TOLERANCE[name]:
        raise AssertionError(f"{name}: ours and {PEER}'s differ by up to {apart}")
    return Fact(what=f"{name}: values", peer=PEER, ours=f"apart by {apart:.1e} at most")


def _functions() -> dict[str, Callable[[NDArray[Any], NDArray[Any]], float]]:
    """By our name of the metric: (reference, estimate), (samples,) each -> torchmetrics' value."""
    from torchmetrics.functional import audio
    from torchmetrics.functional.audio.pesq import perceptual_evaluation_speech_quality
    from torchmetrics.functional.audio.stoi import short_time_objective_intelligibility

    def of(function: Callable[..., Any], *arguments: Any, **named: Any) -> Callable[[Any, Any], float]:
        def value(reference: NDArray[Any], estimate: NDArray[Any]) -> float:
            return float(function(torch.from_numpy(estimate), torch.from_numpy(reference), *arguments, **named))

        return value

    return {
        "wb_pesq": of(perceptual_evaluation_speech_quality, RATE, "wb"),
        "stoi": of(short_time_objective_intelligibility, RATE),
        "estoi": of(short_time_objective_intelligibility, RATE, extended=True),
        "sdr": of(audio.signal_distortion_ratio),
        "si_sdr": of(audio.scale_invariant_signal_distortion_ratio, zero_mean=True),
    }
