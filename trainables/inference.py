"""From a finished job to result rows: its estimates of an evaluation set, and their scores.

Estimates travel as an Arrow IPC stream of utterance ids and float32 audio, so nothing is rounded between the
method and the metrics. Torch is imported only where something is inferred: scoring workers start fast.

A row is one job, utterance and metric: group, candidate, phase, seed, job, split, utterance, speaker,
noise_type, snr_db (dB), metric, value (None unless status is "ok"), status, gain, polarity, lag (samples);
of error rates also weight, the words or characters by which the rate over a corpus counts the utterance.
"""

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trainables.evaluation import NOTHING, Measured, evaluation_clips, score_clips
from trainables.job.assignment import Assignment, DataSettings
from trainables.job.checkpoints import Checkpoints
from trainables.job.stages import Artifacts
from trainables.metrics.catalogue import METRICS
from trainables.metrics.scorer import NO_MODELS

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import EvaluationClip
    from trainables.session import TrainingSession

# Each clip with its estimate, float32, shaped as the clip's `clean`.
Estimates = list[tuple["EvaluationClip", np.ndarray]]
Row = dict[str, Any]

NOISY = "noisy"  # the candidate label of the unprocessed input
NOISY_SEED = -1

_SCHEMA = pa.schema([("utterance", pa.string()), ("audio", pa.large_list(pa.float32()))])


def infer_split(
    assignment: Assignment, corpus: "Corpus", checkpoints: Checkpoints, artifacts: Artifacts, split: str
) -> Estimates:
    """The finished job's estimates of a split, from its last checkpoint.

    Raises:
        RuntimeError: the job has no checkpoint at its last step.
    """
    return _finished_session(assignment, corpus, checkpoints, artifacts).estimates(split)


def infer_and_measure(
    assignment: Assignment,
    corpus: "Corpus",
    checkpoints: Checkpoints,
    artifacts: Artifacts,
    split: str,
    metrics: Iterable[str] | None,
) -> tuple[Estimates, Measured]:
    """As `infer_split`; and those of the metrics that the method itself measures."""
    session = _finished_session(assignment, corpus, checkpoints, artifacts)
    estimates = session.estimates(split)
    return estimates, session.measures(estimates, [name for name in metrics or () if METRICS[name].measured])


def _finished_session(
    assignment: Assignment, corpus: "Corpus", checkpoints: Checkpoints, artifacts: Artifacts
) -> "TrainingSession":
    from trainables.base.determinism import make_deterministic
    from trainables.session import TrainingSession

    make_deterministic(assignment.threads, assignment.device)
    stored = checkpoints.newest(assignment.job)
    if stored is None or stored[0] < assignment.steps:
        reached = "none" if stored is None else f"step {stored[0]}"
        raise RuntimeError(f"{assignment.job}: no checkpoint at step {assignment.steps}, newest is {reached}")
    session = TrainingSession(assignment, corpus, artifacts)
    session.load_state(stored[1])
    return session


def estimates_file(split: str) -> str:
    """The name of a job's result file for a split."""
    return f"estimates-{split}.arrow"


def stored_estimates(assignment: Assignment, corpus: "Corpus", checkpoints: Checkpoints, split: str) -> Estimates:
    """The estimates a job has stored, each with its clip. Raises FileNotFoundError."""
    clips = evaluation_clips(corpus, assignment.data, split)
    audio = read_estimates(checkpoints.read_result(assignment.job, estimates_file(split)))
    return [(clip, audio[clip.utterance].reshape(clip.clean.shape)) for clip in clips]


def write_estimates(estimates: Estimates) -> bytes:
    """The estimates as an Arrow IPC stream, (sources, samples) flattened."""
    columns = [[clip.utterance for clip, _ in estimates], [audio.ravel() for _, audio in estimates]]
    return arrow_stream(pa.table(columns, schema=_SCHEMA))


def arrow_stream(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream."""
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def read_estimates(content: bytes) -> dict[str, np.ndarray]:
    """Utterance -> float32 (samples,), or (sources x samples,)."""
    table = pa.ipc.open_stream(content).read_all()
    audio = (np.from_dlpack(scalar.values) for scalar in table["audio"])
    return dict(zip(table["utterance"].to_pylist(), audio, strict=True))


def score_estimates(
    assignment: Assignment,
    estimates: Estimates,
    split: str,
    metrics: Iterable[str] | None = None,
    models: Mapping[str, str] = NO_MODELS,
    measured: Measured = NOTHING,
    slow_clips: int | None = None,
) -> list[Row]:
    """Rows of one job's estimates of a split, by all metrics or by those named, with the models that these need.

    `measured`: what the job's method has measured of them; `slow_clips` as for `score_clips`.
    """
    group, phase, candidate, _ = assignment.job.split("/")
    identity = {"group": group, "candidate": candidate, "phase": phase, "seed": assignment.seed, "job": assignment.job}
    return _rows(identity, split, estimates, assignment.data, metrics, models, measured, slow_clips)


def score_noisy(
    corpus: "Corpus",
    data: DataSettings,
    split: str,
    metrics: Iterable[str] | None = None,
    models: Mapping[str, str] = NO_MODELS,
    slow_clips: int | None = None,
) -> list[Row]:
    """Rows of the noisy input itself, as candidate "noisy": what every method must improve on.

    None of what methods measure of their estimates.
    """
    identity = {"group": "all", "candidate": NOISY, "phase": "final", "seed": NOISY_SEED, "job": NOISY}
    clips = evaluation_clips(corpus, data, split)
    unprocessed = [(clip, np.broadcast_to(clip.noisy, clip.clean.shape)) for clip in clips]
    return _rows(identity, split, unprocessed, data, metrics, models, slow_clips=slow_clips)


def _rows(
    identity: Row,
    split: str,
    estimates: Estimates,
    data: DataSettings,
    metrics: Iterable[str] | None,
    models: Mapping[str, str],
    measured: Measured = NOTHING,
    slow_clips: int | None = None,
) -> list[Row]:
    clips, audio = [clip for clip, _ in estimates], [estimate for _, estimate in estimates]
    facts = {c.utterance: {"speaker": c.speaker, "noise_type": c.noise_type, "snr_db": c.snr_db} for c in clips}
    scored = score_clips(clips, audio, metrics, data, models, measured, slow_clips)
    return [{**identity, "split": split, **facts[row["utterance"]], **row} for row in scored]
