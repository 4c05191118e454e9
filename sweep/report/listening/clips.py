"""The clips of a listening page: noisy, clean and enhanced versions of the same audio, at matched levels.

All candidates are represented by one seed, the first that all of them finished. A mixture of several voices becomes
one clip per voice; each candidate's outputs are assigned to voices as its scores assign them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.verdict.paired_scores import NOISY
from sweep.verdict.result import GroupResult, by_score, candidate_verdict, group_name
from trainables.audio.examples.mixing import EvaluationClip
from trainables.inference import read_estimates
from trainables.listening import LISTENING_FILE, read_clips
from trainables.metrics.catalogue import shown_in
from trainables.metrics.mixture_scorer import best_order

Samples = NDArray[np.float32]
CLEAN = "clean"
_TOP_CANDIDATES = 3  # in addition to the baseline
_LOUDEST = 0.9  # of full scale, in every clip
_LEAST_SPEECH = 0.1  # of an output's amplitude; below this the level of its speech cannot be measured


@dataclass(frozen=True)
class Version:
    """One version of a clip."""

    label: str  # "noisy", "clean" or a candidate's
    standing: str  # "winner", "leader", "baseline", ... ; "" for the input and the reference
    audio: Samples
    scores: Mapping[str, float]  # of this clip and seed; without metrics that have no score


@dataclass(frozen=True)
class ListeningClip:
    """All versions of one clip, of equal length and equal speech level."""

    title: str
    detail: str
    sample_rate: int
    versions: tuple[Version, ...]


class _Voice(NamedTuple):
    """One clean voice of a clip, and each candidate's output for it."""

    name: str  # "" for the only one
    clean: Samples
    outputs: dict[str, Samples]


def listening_clips(
    plan: Plan, group: GroupResult, rows: pd.DataFrame, checkpoints: Any
) -> tuple[list[ListeningClip], int | None]:
    """A group's clips in the order of the test set, and the seed of the candidates.

    ([], None) where no clips were kept; `group` is the verdict's entry, `rows` are those of test.
    """
    name, labels = group_name(group["group"]), shown_candidates(group)
    found = _estimates(plan, name, labels, checkpoints)
    clips = _kept_clips(checkpoints)
    if found is None or not clips:
        return [], None
    seed, estimates = found
    scores = _scores(rows, plan, name, seed)
    standing = {label: candidate_verdict(group, label) for label in labels} | {group["baseline"]: "baseline"}
    made = []
    for clip in clips:
        outputs = {label: estimates[label][clip.utterance].reshape(clip.clean.shape) for label in labels}
        for voice in _voices(clip, outputs):
            versions = _versions(voice, clip, scores, standing)
            title = f"{clip.noise_type}, {round(clip.snr_db, 1):g} dB{voice.name}"
            made.append(ListeningClip(title, f"{clip.speaker}, {clip.utterance}", plan.data.sample_rate, versions))
    return made, seed


def shown_candidates(group: GroupResult) -> list[str]:
    """The baseline of the gain, the leader, and the next best on test that are not baselines."""
    ranked = by_score(group["candidates"], group.get("lower", False))
    rivals = [c["label"] for c in ranked if not c["baseline"] and c["score"] is not None]
    best = dict.fromkeys([group["leader"]["label"], *rivals])
    return list(dict.fromkeys([group["baseline"], *list(best)[:_TOP_CANDIDATES]]))


def _estimates(
    plan: Plan, group: str, labels: Sequence[str], checkpoints: Any
) -> tuple[int, dict[str, dict[str, Samples]]] | None:
    """The first seed for which every candidate has kept its estimates, and these by label and utterance."""
    for seed in plan.seeds:
        try:
            kept = {
                label: checkpoints.read_result(Job(group, "final", label, seed).path, LISTENING_FILE)
                for label in labels
            }
        except FileNotFoundError:  # of a job that failed
            continue
        return seed, {label: read_estimates(content) for label, content in kept.items()}
    return None


def _kept_clips(checkpoints: Any) -> list[EvaluationClip]:
    try:
        return read_clips(checkpoints.read_result(NOISY, LISTENING_FILE))
    except FileNotFoundError:
        return []


def _scores(rows: pd.DataFrame, plan: Plan, group: str, seed: int) -> dict[tuple[str, str], dict[str, float]]:
    """(candidate, utterance) -> metric -> value."""
    wanted = list(dict.fromkeys([plan.metric, *shown_in("listening")]))
    mine = (rows["group"].eq(group) & rows["seed"].eq(seed)) | rows["candidate"].eq(NOISY)
    scored = rows[mine & rows["status"].eq("ok") & rows["metric"].isin(wanted)]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in scored.to_dict("records"):
        found.setdefault((row["candidate"], row["utterance"]), {})[row["metric"]] = row["value"]
    return {key: {m: values[m] for m in wanted if m in values} for key, values in found.items()}


def _voices(clip: EvaluationClip, outputs: Mapping[str, Samples]) -> Iterator[_Voice]:
    if clip.clean.ndim == 1:
        yield _Voice("", clip.clean, dict(outputs))
        return
    ordered = {label: audio[best_order(clip.clean, audio)] for label, audio in outputs.items()}
    for index, clean in enumerate(clip.clean):
        yield _Voice(f", voice {index + 1}", clean, {label: audio[index] for label, audio in ordered.items()})


def _versions(
    voice: _Voice,
    clip: EvaluationClip,
    scores: Mapping[tuple[str, str], Mapping[str, float]],
    standing: Mapping[str, str],
) -> tuple[Version, ...]:
    """Noisy, clean, then the candidates; all with one gain, so that the loudest peaks at `_LOUDEST`."""
    audio = {NOISY: clip.noisy, CLEAN: voice.clean}
    audio |= {label: _at_level_of(voice.clean, output) for label, output in voice.outputs.items()}
    loudest = max(float(np.abs(samples).max(initial=0)) for samples in audio.values())
    gain = np.float32(_LOUDEST / loudest if loudest > 0 else 1.0)
    return tuple(
        Version(label, standing.get(label, ""), gain * samples, scores.get((label, clip.utterance), {}))
        for label, samples in audio.items()
    )


def _at_level_of(clean: Samples, output: Samples) -> Samples:
    """The output, scaled so that its component along the clean speech has the level of the clean speech.

    Methods trained on a scale-invariant loss give any level and either polarity. Silence stays silence.
    """
    output = np.nan_to_num(output, posinf=0.0, neginf=0.0)
    speech, everything = float(np.linalg.norm(clean)), float(np.linalg.norm(output))
    if speech == 0 or everything == 0:
        return output
    share = float(output @ clean) / speech  # the amplitude of clean speech in the output
    amplitude = share if abs(share) > _LEAST_SPEECH * everything else everything
    gain = np.float32(speech / amplitude)
    return gain * output if np.isfinite(gain) else output
