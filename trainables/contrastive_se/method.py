"""Contrastive speech enhancement with BYOL or SimSiam: the method as the session sees it.

Each clean crop is mixed with several noises; an autoencoder enhances every view, and a contrastive term pulls
the prediction of one view towards the encoding of another (see contrastive.py). `target="none"` is the report's
"Normal": the same views, enhancement alone. What is deployed is the autoencoder, nothing else.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainables.audio.examples.mixing import view_batch
from trainables.base.padding import valid_mask, where_padded
from trainables.base.randomness import seed_global_generators
from trainables.contrastive_se.autoencoder import HOP, Autoencoder
from trainables.contrastive_se.collapse import collapse_monitors
from trainables.contrastive_se.config import ContrastiveSEConfig
from trainables.contrastive_se.contrastive import contrastive_loss
from trainables.contrastive_se.gradient_balance import balanced_weight
from trainables.contrastive_se.loss_schedule import contrastive_level, loss_scale, mixing, target_decay
from trainables.contrastive_se.momentum_encoder import MomentumEncoder
from trainables.losses.si_sdr import si_sdr_loss
from trainables.method import Method, When

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch
    from trainables.job.assignment import DataSettings

_SMALLEST_ENERGY = 1e-12  # of an estimate; below it there is nothing to scale
_SMALLEST_POWER = 1e-10  # of a mixture, -100 dB: below it is silence


def build(config: ContrastiveSEConfig, artifacts: dict[str, bytes], seed: int) -> "ContrastiveSE":
    """The method with its weights drawn from `seed`; schedules and targets do not change them."""
    seed_global_generators(seed, "autoencoder")
    return ContrastiveSE(config, Autoencoder(config))


class _Views(NamedTuple):
    """What the contrastive term reads, each (views, batch, channels, frames)."""

    encoded: Tensor
    predicted: Tensor
    target: Tensor
    valid: Tensor | None  # (batch, 1, frames), 0 in the padding


class ContrastiveSE(Method):
    """The autoencoder and, with target="byol", its momentum encoder."""

    def __init__(self, config: ContrastiveSEConfig, network: Autoencoder):
        super().__init__()
        self.config = config
        self.network = network
        self.momentum = MomentumEncoder(network.encoder) if config.target == "byol" else None
        self._seen: _Views | None = None  # of the last step, for the monitors
        self._phase: dict[str, float] = {}

    def draw_batches(self, corpus: "Corpus", data: "DataSettings", seed: int, step: int) -> Sequence["Batch"]:
        """`data.batch` clean crops, each in several views, view after view: (views x batch, samples)."""
        return [view_batch(corpus, data, seed, step, self.config.views, self.config.same_snr)]

    def training_losses(self, batch: "Batch", when: When) -> dict[str, Tensor]:
        noisy = _network_input(batch.noisy, batch.lengths)
        valid = _valid_frames(noisy, where_padded(batch.noisy, batch.lengths))
        encoded, predicted = self.network.encode(noisy, valid)
        estimate = self.network.decode(encoded, predicted, valid)[:, : batch.clean.shape[1]]
        enhancement = si_sdr_loss(estimate.float(), batch.clean, batch.lengths, zero_mean=False)
        level = contrastive_level(self.config, when.progress)
        with torch.set_grad_enabled(level > 0.0):  # computed for the monitors even when it is off
            views = self._views(noisy, encoded, predicted, valid)
            pooled = self.config.similarity == "pooled"
            contrastive = contrastive_loss(views.predicted, views.target, pooled, views.valid)
        weight = level * self._weight(enhancement, contrastive)
        self._seen = _Views(*(part.detach() for part in views[:3]), views.valid)
        self._phase = {
            "contrastive_on": float(mixing(self.config, when.progress)),
            "cl_weight": float(weight),
        }
        total = loss_scale(self.config, when.progress) * (enhancement + weight * contrastive)
        return {"se": enhancement, "cl": contrastive, "total": total}

    @torch.no_grad()
    def infer(self, mixture: Tensor) -> Tensor:
        """Encoder, predictor, decoder; then the gain at which the estimate explains most of its mixture.

        SI-SDR sees neither level nor sign, so the network's own are arbitrary.
        """
        estimate = self.network(_network_input(mixture))[:, : mixture.shape[1]].float()
        energy = estimate.square().sum(dim=-1, keepdim=True)
        gain = (estimate * mixture).sum(dim=-1, keepdim=True) / energy.clamp_min(_SMALLEST_ENERGY)
        return (gain * estimate)[:, None]

    def after_step(self, when: When) -> None:
        """The momentum encoder is updated in every phase, so that it is current when the term returns."""
        if self.momentum:
            self.momentum.update(self.network.encoder, target_decay(self.config, when.progress))

    def diagnostics(self) -> dict[str, float]:
        """Phase marks, collapse monitors of the last batch and, for BYOL, the target's distance from the encoder."""
        if self._seen is None:
            return {}
        trailing = {"target_distance": self.momentum.distance(self.network.encoder)} if self.momentum else {}
        return {**self._phase, **collapse_monitors(*self._seen), **trailing}

    def optimizer(self) -> torch.optim.Optimizer:
        config = self.config
        if config.optimizer == "adamw":
            return torch.optim.AdamW(self.parameter_groups(), weight_decay=config.weight_decay)
        return torch.optim.SGD(self.parameter_groups(), momentum=config.momentum, weight_decay=config.weight_decay)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.network.parameters()), "lr": self.config.lr}]

    def _views(self, noisy: Tensor, encoded: Tensor, predicted: Tensor, valid: Tensor | None = None) -> _Views:
        parts = (encoded, predicted, self._target(noisy, encoded, valid))
        by_view = (part.unflatten(0, (self.config.views, -1)) for part in parts)
        # All views are of the same crops.
        return _Views(*by_view, None if valid is None else valid.unflatten(0, (self.config.views, -1))[0])

    def _target(self, noisy: Tensor, encoded: Tensor, valid: Tensor | None = None) -> Tensor:
        if self.momentum:
            return self.momentum(noisy, valid)
        return encoded.detach() if self.config.stop_gradient else encoded

    def _weight(self, enhancement: Tensor, contrastive: Tensor) -> Tensor | float:
        """The contrastive weight before the schedule."""
        if self.config.weighting == "fixed":
            return self.config.cl_weight
        if not contrastive.requires_grad:
            return 0.0
        shared = self.network.last_shared_weights()
        return balanced_weight(enhancement, contrastive, shared, self.config.cl_ratio)


def _network_input(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, samples) at unit power over its `lengths` (batch,), zero-padded at the end to a multiple of 64 samples.

    The pooled branch ends in a batch norm, the patch branch is linear: at the level of recordings, about -25 dB, the
    samples themselves would hardly contribute to the encoder and would be learned last.
    """
    power = wave.square().mean(dim=-1, keepdim=True)
    padded = where_padded(wave, lengths)
    if padded is not None:
        power = power * (wave.shape[1] / padded[:, None])
    return functional.pad(wave * power.clamp_min(_SMALLEST_POWER).rsqrt(), (0, -wave.shape[1] % HOP))


def _valid_frames(wave: Tensor, lengths: Tensor | None) -> Tensor | None:
    """(batch, 1, frames) of 64 samples, 0 where a frame is padding alone; None for None."""
    if lengths is None:
        return None
    frames = wave[:, ::HOP]
    return valid_mask(frames, (lengths + HOP - 1).div(HOP, rounding_mode="floor"))[:, None]
