"""Pre-train a body on speech, clean or not (inputs.py): the stage that init="pretrained" rests on.

Each family learns by its own objective (masked_reconstruction.py, frame_prediction.py, contrastive_pretraining.py,
unit_prediction.py) on the train split. A high rate that falls along a cosine makes up for half of the steps that a
constant one needs (docs/experiments/normalized_ssl.md).
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from trainables.audio.examples.mixing import speech_batch
from trainables.base.determinism import deterministic
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import unpack
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.ssl.bodies.recurrent_body import RecurrentBody
from trainables.ssl.bodies.spectral_body import LogMelBody
from trainables.ssl.bodies.upstreams import build_body, pack_body
from trainables.ssl.bodies.waveform_body import WaveformBody
from trainables.ssl.description import SSLModel
from trainables.ssl.pretraining.contrastive_pretraining import ContrastivePretraining
from trainables.ssl.pretraining.frame_prediction import FramePrediction
from trainables.ssl.pretraining.inputs import heard
from trainables.ssl.pretraining.masked_reconstruction import MaskedReconstruction
from trainables.ssl.pretraining.speech_units import SpeechUnits
from trainables.ssl.pretraining.unit_prediction import UnitPrediction
from trainables.ssl.upstream_table import UPSTREAM_TABLE
from trainables.training.learning_rate import lr_factor

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

BATCH = 8
CROP_SECONDS = 1.0
WARMUP_SHARE, LR_FLOOR = 0.12, 0.05  # of the budget, of the peak
CLIP = 5.0  # norm of the gradient
CURVE_POINTS = 20  # the loss curve keeps the means of at most that many stretches of steps
STATISTICS_CROPS = 256  # of clean speech, for cmvn="corpus"


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact: the body's state, and `info`, the curves of the objective as plain floats."""
    model = SSLModel.from_stage(stage.config)
    with deterministic(stage.threads, stage.device):
        body = build_body(model, stage.seed).to(stage.device)
        if isinstance(body, LogMelBody) and model.cmvn == "corpus":
            _measure_speech(body, corpus, stage.seed)
        objective = build_objective(body, model.upstream, stage, artifacts)
        peak = UPSTREAM_TABLE[model.upstream].pretraining_rate
        curves = train_objective(objective, peak, corpus, stage, model.heard, model.pretraining_steps, progress)
        return pack_body(body.cpu(), info=curves)


def build_objective(body: LogMelBody | WaveformBody, upstream: str, stage: Stage, artifacts: Artifacts) -> nn.Module:
    """The family's own objective, all of it on the stage's device; its heads are discarded with it."""
    return _objective(body, upstream, stage, artifacts).to(stage.device)


def _objective(body: LogMelBody | WaveformBody, upstream: str, stage: Stage, artifacts: Artifacts) -> nn.Module:
    if isinstance(body, RecurrentBody):
        return FramePrediction(body)
    if isinstance(body, LogMelBody):
        return MaskedReconstruction(body, time_only=UPSTREAM_TABLE[upstream].masks_time_only)
    if not stage.rests_on:
        return ContrastivePretraining(body)
    units = SpeechUnits(**unpack(artifacts.read(stage.rests_on[0].key)))
    return UnitPrediction(body, units)


def train_objective(
    objective: nn.Module, peak: float, corpus: "Corpus", stage: Stage, kind: str, steps: int, progress: Progress
) -> dict[str, list[float]]:
    """Adam, its rate up to `peak` along a line and down a cosine, on inputs of that kind; returns the curves."""
    trained = [each for each in objective.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=peak, fused=True)
    objective.train()
    history = []
    for step in range(steps):
        seed_global_generators(stage.seed, "pretraining", step)
        for group in optimizer.param_groups:
            group["lr"] = peak * lr_factor(step / steps, WARMUP_SHARE, LR_FLOOR)
        waveforms, targets = heard(kind, corpus, stage.seed, step, BATCH, CROP_SECONDS, stage.device)
        loss, monitors = objective(waveforms, step, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, CLIP)
        optimizer.step()
        history.append(monitors)
        progress(step + 1, steps)
    return _summary(history)


def _measure_speech(body: LogMelBody, corpus: "Corpus", seed: int) -> None:
    """Mean and deviation of clean speech per mel band, by which cmvn="corpus" standardises."""
    crops = speech_batch(corpus, seed, "statistics", STATISTICS_CROPS, CROP_SECONDS)
    log_mels = body.entry.log_mels(crops).flatten(0, 1)
    body.entry.feature_mean.copy_(log_mels.mean(0))
    body.entry.feature_std.copy_(log_mels.std(0))


def _summary(history: list[dict[str, float]]) -> dict[str, list[float]]:
    """Each monitor's curve: its means over up to `CURVE_POINTS` stretches of steps."""
    return {
        name: [float(part.mean()) for part in np.array_split([row[name] for row in history], CURVE_POINTS) if len(part)]
        for name in history[0]
    }
