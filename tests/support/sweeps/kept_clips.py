"""The clips and estimates that a finished sweep keeps for listening, made of tones: nothing is trained."""

import numpy as np

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from trainables.audio.examples.mixing import EvaluationClip
from trainables.base.storage.storage import Storage
from trainables.inference import NOISY, write_estimates
from trainables.listening import LISTENING_FILE, write_clips

SAMPLE_RATE = 16000
SECONDS = 3.0
LEVELS = {"none": 2.0, "random": -0.5, "layer1": 0.3, "layer2": 1.0, "layer3": 0.01}  # of each one's outputs


def keep_clips(plan: Plan, clips: int = 4) -> list[EvaluationClip]:
    """Write what scoring keeps: the clips u00, u01, ..., and every finalist's estimates, better by layer."""
    kept = [make_clip(number) for number in range(clips)]
    checkpoints = StoredCheckpoints(Storage(plan.output))
    checkpoints.write_result(NOISY, LISTENING_FILE, write_clips(kept))
    for group in plan.groups:
        for candidate in group.candidates:
            for seed in plan.seeds:
                job = Job(group.name, "final", candidate.label, seed).path
                estimates = [(clip, estimate(clip, candidate.label)) for clip in kept]
                checkpoints.write_result(job, LISTENING_FILE, write_estimates(estimates))
    return kept


def make_clip(number: int) -> EvaluationClip:
    """A gliding voice of harmonics with pauses, in noise."""
    rng = np.random.default_rng(number)
    time = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 2 * np.pi * (120 + 20 * number) * (time + 0.05 * np.sin(3 * time))
    voice = sum(np.sin(k * pitch) / k for k in range(1, 20)) * (np.sin(9 * time) > -0.5)
    clean = (0.1 * np.asarray(voice)).astype(np.float32)
    noise = 0.05 * rng.standard_normal(len(clean)).astype(np.float32)
    kind = ("hum", "babble")[number % 2]
    return EvaluationClip(f"u{number:02d}", f"s{number % 4}", kind, 0.0, clean + noise, clean)


def estimate(clip: EvaluationClip, label: str) -> np.ndarray:
    """A level of its own, and the less noise the later the layer."""
    left = {"none": 0.6, "random": 1.0, "layer1": 0.4, "layer2": 0.1, "layer3": 0.2}[label]
    return np.float32(LEVELS[label]) * (clip.clean + np.float32(left) * (clip.noisy - clip.clean))
