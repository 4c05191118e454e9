"""Pre-training of a front-end on enhancement: the stage that fine-tuning starts from where no weights are given.

At base size the loss is that of DEMUCS' authors (Defossez et al., Interspeech 2020), L1 of the waveform and a
multi-resolution STFT loss, at the resolutions of trainables/losses/stft.py. At tiny size, where that would take three
times as long as the network itself, it is the negative SNR. Both fix level and sign, which fine-tuning through a
self-supervised model cannot see. Every candidate of a seed starts from the same artifact.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from trainables.audio.examples.mixing import training_batch
from trainables.base.determinism import deterministic
from trainables.base.padding import valid_mask
from trainables.base.randomness import seed_global_generators
from trainables.job.assignment import DataSettings
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.losses.si_sdr import decibels
from trainables.losses.stft import multi_resolution_stft_loss
from trainables.position_invariant.front_ends import build_front_end, pack_front_end
from trainables.training.learning_rate import lr_factor

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

# By size. SNRs go beyond those of fine-tuning on both sides.
_DATA = {
    "tiny": DataSettings(batch=4, crop_seconds=1.0, snr_low=-5.0, snr_high=15.0),
    "base": DataSettings(batch=16, crop_seconds=4.0, snr_low=-5.0, snr_high=20.0),
}
WARMUP_SHARE, FLOOR = 0.05, 0.05
CLIP = 5.0  # norm of the gradient
_SMALLEST_RMS = 1e-6
CURVE_POINTS = 20  # the loss curve keeps the means of at most that many stretches of steps


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the network's state, and `info`, its loss curve."""
    steps, rate = stage.config["pretraining_steps"], stage.config["front_lr"]
    data = _DATA[stage.config["size"]]
    with deterministic(stage.threads, stage.device):
        front_end = build_front_end(stage.config, stage.seed).to(stage.device).train()
        optimizer = torch.optim.Adam(front_end.parameters(), lr=rate, fused=True)
        history = []
        for step in range(steps):
            seed_global_generators(stage.seed, "front-end pretraining", step)
            for group in optimizer.param_groups:
                group["lr"] = rate * lr_factor(step / steps, WARMUP_SHARE, FLOOR)
            batch = training_batch(corpus, data, stage.seed, f"front-end {step}").to(torch.device(stage.device))
            estimate = front_end(batch.noisy, batch.lengths)
            loss = enhancement_loss(stage.config["size"], estimate, batch.clean, batch.lengths)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(front_end.parameters(), CLIP)
            optimizer.step()
            history.append(float(loss.detach()))
            progress(step + 1, steps)
    curve = [float(part.mean()) for part in np.array_split(history, CURVE_POINTS) if len(part)]
    return pack_front_end(front_end, info={"loss": curve})


def enhancement_loss(size: str, estimate: Tensor, clean: Tensor, lengths: Tensor) -> Tensor:
    """Of estimates (batch, samples); what lies beyond `lengths` (batch,) is ignored."""
    valid = valid_mask(clean, lengths)
    errors = (estimate - clean) * valid
    energy = (clean * valid).square().sum(-1)
    if size == "tiny":
        return -decibels(energy, errors.square().sum(-1)).mean()
    level = (energy / valid.sum(-1)).sqrt().clamp_min(_SMALLEST_RMS)
    distance = errors.abs().sum(-1) / valid.sum(-1)
    return (distance / level).mean() + multi_resolution_stft_loss(estimate, clean, lengths)
