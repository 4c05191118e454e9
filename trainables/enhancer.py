"""A trained model for any recording: whatever its sample rate, its channels and its length.

A method knows one sample rate and one channel. Here recordings are brought to that rate and what comes out is
brought back, at the recording's own level: losses such as SI-SDR leave the level and the sign of an estimate open.
Enhancement treats every channel by itself; separation, whose sources have no order, takes the mean of the channels.
"""

from dataclasses import replace

import numpy as np
import torch

from trainables.audio.levels import without_offset
from trainables.base.determinism import deterministic
from trainables.base.errors import UserError
from trainables.job.assignment import Assignment
from trainables.job.stages import Artifacts
from trainables.method import Method, When
from trainables.overlap_add import in_pieces
from trainables.session import build_for, infer_one, load_weights


class Enhancer:
    """Call it with audio.

    Attributes:
        job: what was trained: "tera/final/layer2/seed-1001".
        sample_rate: Hz, at which it works.
        sources: 1 for enhancement; how many voices it separates.
    """

    def __init__(self, method: Method, assignment: Assignment) -> None:
        self.job = assignment.job
        self.sample_rate = assignment.data.sample_rate
        self.sources = method.sources
        self._method = method
        self._threads = assignment.threads

    @staticmethod
    def of(assignment: Assignment, artifacts: Artifacts, files: dict[str, bytes]) -> "Enhancer":
        """The job as its last checkpoint, `files`, has it. Always on the CPU: a recording is short."""
        return Enhancer(trained_method(assignment, artifacts, files), assignment)

    def __call__(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """Float audio in [-1, 1], (samples,) or (samples, channels), at `sample_rate` Hz.

        Returns float32 of the same shape and sample rate, each channel scaled by `level_gain`; with several sources
        (sources, samples), all scaled by the gain of the loudest. Peaks may exceed 1. Of a recording without speech,
        what the model leaves of the noise is at this level too.

        Raises:
            UserError: integers, no samples, more than two axes, or values that are not finite, in the audio or the
                estimate.
        """
        if not np.issubdtype(np.asarray(audio).dtype, np.floating):
            raise UserError(f"audio of {np.asarray(audio).dtype}: give floats in [-1, 1]; int16 is divided by 32768")
        audio = np.asarray(audio, dtype=np.float32)
        if audio.ndim not in (1, 2) or audio.size == 0:
            raise UserError(f"audio of shape {audio.shape}: give (samples,) or (samples, channels), not empty")
        if not np.isfinite(audio).all():
            raise UserError("the audio holds values that are not finite numbers: replace it")
        if self.sources > 1:
            return self._estimate(audio if audio.ndim == 1 else audio.mean(axis=1), sample_rate)
        if audio.ndim == 1:
            return self._estimate(audio, sample_rate)
        channels = [self._estimate(channel, sample_rate) for channel in audio.T]
        return np.stack(channels, axis=1)

    def _estimate(self, channel: np.ndarray, sample_rate: int) -> np.ndarray:
        """(samples,) -> (samples,) or (sources, samples)."""
        native = resampled(without_offset(channel), sample_rate, self.sample_rate)
        with deterministic(self._threads), torch.no_grad():
            estimate = in_pieces(self._infer, native, self.sample_rate)
        back = fitted(resampled(estimate, self.sample_rate, sample_rate), len(channel))
        if not np.isfinite(back).all():
            raise UserError(f"{self.job} gives values that are not finite for this audio: choose another run")
        leveled = np.float32(level_gain(channel, loudest(back))) * back
        return leveled if self.sources > 1 else leveled[0]

    def _infer(self, native: np.ndarray) -> np.ndarray:
        """(samples,) -> (sources, samples)."""
        return np.atleast_2d(infer_one(self._method, native))


def trained_method(assignment: Assignment, artifacts: Artifacts, files: dict[str, bytes]) -> Method:
    """The job's method as its last checkpoint, `files`, has it, on the CPU; the training-only aid switched off."""
    method = build_for(replace(assignment, device="cpu"), artifacts)
    load_weights(method, files)
    end = When(step=assignment.steps, epoch=0, steps=assignment.steps)
    method.before_inference(end, ablate=True)
    return method.eval()


def level_gain(recording: np.ndarray, estimate: np.ndarray) -> float:
    """The least-squares gain of the estimate, both (samples,): it minimizes |recording - gain * estimate|.

    Constant offsets are left out. Speech comes out as loud as it is in the recording, and of the same sign. 1 for an
    estimate that is silent.
    """
    wanted, given = (audio - audio.mean(dtype=np.float64) for audio in (recording, estimate))
    energy = float(given @ given)
    gain = float(wanted @ given) / energy if energy > 0 else 1.0
    return gain if np.isfinite(np.float32(gain)) else 1.0


def loudest(sources: np.ndarray) -> np.ndarray:
    """(sources, samples) -> (samples,): the one with the most energy."""
    centred = sources - sources.mean(axis=-1, keepdims=True, dtype=np.float64)
    return np.asarray(sources[np.square(centred).sum(axis=-1).argmax()])


def resampled(audio: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """(..., samples) at `rate` Hz -> at `wanted` Hz (soxr VHQ); the same array where they are equal."""
    if rate == wanted:
        return audio
    import soxr

    return np.ascontiguousarray(soxr.resample(audio.T, rate, wanted, quality="VHQ").T)


def fitted(audio: np.ndarray, samples: int) -> np.ndarray:
    """(..., samples): resampling there and back may gain or lose one; cut, or padded with zeros."""
    missing = max(0, samples - audio.shape[-1])
    return np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(0, missing)])[..., :samples]
