"""Pre-train a separator with one output on single voices: the stage that fine-tuning rests on.

A run is cut into stretches, each a stage that continues the one before from its artifact (weights, the task's
own parameters, optimizer), so every stretch's end can be fine-tuned from and no step is trained twice. The
learning rate does not depend on the budget, and draws are keyed by the step: the cuts do not change a bit.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from trainables.audio.examples.speaker_mixtures import noisy_batch
from trainables.base.determinism import deterministic
from trainables.base.errors import UserError
from trainables.base.randomness import seed_global_generators
from trainables.base.tensors import unpack
from trainables.base.weights_file import require_here
from trainables.job.assignment import DataSettings
from trainables.job.stages import Artifacts, Progress, Stage
from trainables.networks.asteroid_weights import read_asteroid
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.config import SeparationConfig
from trainables.separation.pretraining_tasks import build_task
from trainables.separation.separators import build_separator, pack_network

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus

CLIP = 5.0  # norm of the gradient
CURVE_POINTS = 20  # the loss curve keeps the means of at most this many parts of a stretch


def run(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact after this stretch: network, task, optimizer, step, and the loss curve in dB or nats."""
    config = SeparationConfig.from_dict(stage.config)
    before = unpack(artifacts.read(stage.rests_on[0].key)) if stage.rests_on else None
    with deterministic(stage.threads, stage.device):
        run = _Pretraining(config, corpus, stage.seed, stage.device)
        if before:
            run.resume_from(before)
        losses = run.train(config.pretraining_steps, progress)
        curve = [float(part.mean()) for part in np.array_split(losses, CURVE_POINTS) if len(part)]
        return run.pack(curve)


def import_checkpoint(stage: Stage, corpus: "Corpus", artifacts: Artifacts, progress: Progress) -> bytes:
    """The artifact of a file in asteroid's format with one output. Raises `UserError` as `published_network` does."""
    return pack_network(published_network(stage), step=0, curve=[])


def published_network(stage: Stage) -> MaskingSeparator:
    """The network in the file that the stage names.

    Raises:
        UserError: the file has changed since the plan, or holds another network than the configuration's.
    """
    facts = dict(stage.config)
    path, digest = Path(facts.pop("checkpoint")), facts.pop("sha256")
    content = require_here(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise UserError(f"{path} has changed since the sweep was planned: restore it, or start a new sweep")
    config = SeparationConfig.from_dict(facts)
    weights = read_asteroid(path, content, config.model, config.architecture, config.sample_rate, outputs=1)
    network = build_separator(config, 1, stage.seed)
    expected = {name: value.shape for name, value in network.state_dict().items()}
    found = {name: value.shape for name, value in weights.items()}
    if expected != found:  # of a file whose weights are not those of its own arguments
        name = next(iter(dict(expected.items() ^ found.items())))
        raise UserError(
            f"{path}: {name} is {_shape(found.get(name))}, here {_shape(expected.get(name))}; give another file"
        )
    network.load_state_dict(weights)
    return network


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else str(tuple(shape))


class _Pretraining:
    """One run: network, task and optimizer at some step."""

    def __init__(self, config: SeparationConfig, corpus: "Corpus", seed: int, device: str):
        self.config, self.corpus, self.seed = config, corpus, seed
        self.network = build_separator(config, 1, seed).to(device)
        seed_global_generators(seed, "pretraining task")
        self.task = build_task(config, self.network).to(device)
        self.step = 0
        self._parameters = [*self.network.parameters(), *self.task.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=config.pretraining_lr, fused=True)
        self._data = DataSettings(
            batch=config.pretraining_batch,
            crop_seconds=config.pretraining_crop_seconds,
            snr_low=config.noise_snr_low,
            snr_high=config.noise_snr_high,
            sample_rate=config.sample_rate,
        )

    def resume_from(self, artifact: dict[str, Any]) -> None:
        self.network.load_state_dict(artifact["network"])
        self.task.load_state_dict(artifact["task"])
        self._optimizer.load_state_dict(artifact["optimizer"])
        self.step = artifact["step"]

    def train(self, last: int, progress: Progress) -> list[float]:
        """The losses of the steps up to `last`."""
        first, losses = self.step, []
        self.network.train()
        while self.step < last:
            losses.append(self._train_step())
            self.step += 1
            progress(self.step - first, last - first)
        return losses

    def pack(self, curve: list[float]) -> bytes:
        return pack_network(
            self.network,
            task=self.task.state_dict(),
            optimizer=self._optimizer.state_dict(),
            step=self.step,
            curve=curve,
        )

    def _train_step(self) -> float:
        device = next(self.network.parameters()).device
        batch = noisy_batch(self.corpus, self._data, self.seed, self.step).to(device)
        seed_global_generators(self.seed, "pretraining", self.step)
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            loss = self.task(self.network, batch)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._optimizer.step()
        return float(loss.detach())
