"""The smallest method with everything a session must cope with.

It has dropout (the global generators), a training-only aid whose strength falls with progress, a running
value that only training updates, and an averaged copy of its weights.
"""

import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speech_toy.config import ToyConfig
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import Batch, EvaluationClip
from trainables.base.randomness import seed_global_generators
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.method import Method, When


class ToyMethod(Method):
    strength: Tensor
    level: Tensor
    average: Tensor

    def __init__(self, config: ToyConfig, start: float) -> None:
        super().__init__()
        self.config = config
        taps = 65 if config.flavour == "plain" else 33
        self.net = nn.Sequential(
            nn.Conv1d(1, 8, taps, padding=taps // 2),
            nn.Tanh(),
            nn.Dropout(0.1),
            nn.Conv1d(8, 1, taps, padding=taps // 2),
        )
        self.start = start
        self.register_buffer("strength", torch.tensor(0.0))
        self.register_buffer("level", torch.tensor(0.0))
        self.register_buffer("average", torch.zeros_like(self.first_filter))

    @property
    def first_filter(self) -> nn.Parameter:
        return self.net[0].get_parameter("weight")

    def training_losses(self, batch: Batch, when: When) -> dict[str, Tensor]:
        self._set_strength(when)
        self.level.mul_(0.9).add_(0.1 * batch.clean.std().detach())
        error = torch.mean((self._enhance(batch.noisy) - batch.clean) ** 2)
        if when.step == self.config.break_at:
            error = error * float("nan")
        return {"total": error, "mse": error}

    def infer(self, mixture: Tensor) -> Tensor:
        return self._enhance(mixture)[:, None] * (0.0 if self.config.mute else 1.0)

    def after_step(self, when: When) -> None:
        self.average.lerp_(self.first_filter.detach(), 0.1)

    def before_inference(self, when: When, ablate: bool = False) -> None:
        self._set_strength(when)
        if ablate:
            self.strength.zero_()

    def diagnostics(self) -> dict[str, float]:
        loud = float(self.level) > 1.0
        return {"strength": float(self.strength), "start": self.start, "overdriven": float(loud)}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            {"params": list(self.net[0].parameters()), "lr": self.config.lr / 2},
            {"params": list(self.net[3].parameters()), "lr": self.config.lr},
        ]

    def measures(
        self, wanted: Collection[str], clips: Sequence[EvaluationClip], estimates: Sequence[np.ndarray]
    ) -> list[dict[str, float]]:
        """How differently its first filter answers to an estimate and to the clean voice."""
        pairs = zip(clips, estimates, strict=True)
        return [{name: self._filter_distance(clip.clean, audio) for name in wanted} for clip, audio in pairs]

    def _filter_distance(self, clean: np.ndarray, estimate: np.ndarray) -> float:
        answers = self.net[0](torch.from_numpy(np.stack([clean, estimate]))[:, None])
        return float((answers[0] - answers[1]).square().mean())

    def minimum_samples(self) -> int:
        return 400

    def _enhance(self, mixture: Tensor) -> Tensor:
        if mixture.shape[-1] < self.minimum_samples():
            raise ValueError("too short")
        output = self.net(mixture[:, None])[:, 0]
        return output + self.strength * self.level * torch.tanh(output)

    def _set_strength(self, when: When) -> None:
        self.strength.fill_(self.config.strength * max(0.0, 1 - when.progress / 0.75))


def build(config: ToyConfig, artifacts: dict[str, bytes], seed: int) -> ToyMethod:
    torch.manual_seed(seed)
    content = artifacts.get("pretraining", b"")
    method = ToyMethod(config, start=float(len(content)))
    if config.pretrained:
        weight = torch.load(io.BytesIO(content), weights_only=True)
        method.first_filter.data.copy_(weight)
    return method


def pretrain(stage: Stage, corpus: Corpus, artifacts: Artifacts, progress: Progress) -> bytes:
    """A filter drawn from the stage's seed, said to have been learned."""
    seed_global_generators(stage.seed, "toy filter")
    progress(stage.config["pretraining_steps"], stage.config["pretraining_steps"])
    buffer = io.BytesIO()
    torch.save(0.1 * torch.randn(8, 1, 65 if stage.config["flavour"] == "plain" else 33), buffer)
    return buffer.getvalue()
