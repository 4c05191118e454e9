"""A few clips of an evaluation set and their estimates, kept for listening to what was scored.

The estimates of the test split are inferred once, scored and deleted; those of the chosen clips stay next to the
rows. The choice depends on the clips alone, so all jobs of a sweep keep the same ones.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from trainables.audio.examples.mixing import EvaluationClip
from trainables.inference import Estimates, arrow_stream, write_estimates

LISTENING_FILE = "listening.arrow"  # next to a job's rows its estimates, next to those of the noisy input the clips
CLIPS = 6
_GOOD_SECONDS = 4.0  # long enough for an impression, short enough to compare
_SNR_STEP = 2.5  # dB; closer ones count as the same (recorded noises all differ)

_SCHEMA = pa.schema(
    [
        ("utterance", pa.string()),
        ("speaker", pa.string()),
        ("noise_type", pa.string()),
        ("snr_db", pa.float64()),
        ("noisy", pa.large_list(pa.float32())),
        ("clean", pa.large_list(pa.float32())),  # of several voices, one after the other
    ]
)


def choose(clips: Sequence[EvaluationClip], sample_rate: int, count: int = CLIPS) -> list[EvaluationClip]:
    """`count` clips (or all) that differ in noise type, then SNR, then speaker, in the order of the set."""
    used: Counter[tuple[str, str | int]] = Counter()
    left = list(range(len(clips)))
    chosen: list[int] = []
    while left and len(chosen) < count:
        newest = min(left, key=lambda index: _familiarity(clips[index], used, sample_rate))
        left.remove(newest)
        chosen.append(newest)
        used.update(_kinds(clips[newest]))
    return [clips[index] for index in sorted(chosen)]


def write_clips(clips: Iterable[EvaluationClip]) -> bytes:
    """The clips themselves as an Arrow IPC stream."""
    facts = [
        {name: getattr(clip, name) for name in _SCHEMA.names[:4]} | {"noisy": clip.noisy, "clean": clip.clean.ravel()}
        for clip in clips
    ]
    return arrow_stream(pa.Table.from_pylist(facts, schema=_SCHEMA))


def read_clips(content: bytes) -> list[EvaluationClip]:
    """The clips that `write_clips` wrote."""
    table = pa.ipc.open_stream(content).read_all()
    return [_clip(row) for row in table.to_batches()[0].to_pylist()] if len(table) else []


def write_chosen(estimates: Estimates, sample_rate: int) -> bytes:
    """The estimates of the chosen clips, as `trainables.inference.read_estimates` reads them."""
    kept = {clip.utterance for clip in choose([clip for clip, _ in estimates], sample_rate)}
    return write_estimates([(clip, audio) for clip, audio in estimates if clip.utterance in kept])


def _familiarity(clip: EvaluationClip, used: Counter[tuple[str, str | int]], sample_rate: int) -> tuple[float, ...]:
    """How often clips of its kinds were chosen, then its distance from a good length; the smallest goes next."""
    seconds = clip.noisy.shape[-1] / sample_rate
    return (*(used[kind] for kind in _kinds(clip)), abs(seconds - _GOOD_SECONDS))


def _kinds(clip: EvaluationClip) -> list[tuple[str, str | int]]:
    return [("noise", clip.noise_type), ("snr", round(clip.snr_db / _SNR_STEP)), ("speaker", clip.speaker)]


def _clip(row: dict[str, object]) -> EvaluationClip:
    noisy, clean = (np.asarray(row.pop(name), np.float32) for name in ("noisy", "clean"))
    voices = clean.reshape(-1, len(noisy))
    return EvaluationClip(**row, noisy=noisy, clean=clean if len(voices) == 1 else voices)  # type: ignore[arg-type]
