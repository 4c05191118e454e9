"""Speech separation from scratch, after pre-training, or along with an enhancement task.

Outputs are assigned to voices by PIT, hard or probabilistic, or as a label strategy says (labels.py).

Huang et al., "Stabilizing label assignment for speech separation by self-supervised pre-training",
Interspeech 2021. With multi-task training the network has one output more, which learns the enhancement task;
every batch is of one task, and a step always holds exactly one separation batch, so all strategies make the
same number of separation updates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainables.audio.examples.mixture_pool import pool_voices, pooled_batch, whole_pool
from trainables.audio.examples.speaker_mixtures import mixture_batch, noisy_batch
from trainables.base.randomness import derive_seed, generator
from trainables.base.tensors import unpack
from trainables.losses.permutation import best_assignment, pairwise_si_sdr
from trainables.losses.probabilistic_pit import assignment_weights, soft_pit_loss, temperature_at, undecided
from trainables.method import Method, When
from trainables.networks.masking_separator import MaskingSeparator
from trainables.separation.config import SeparationConfig
from trainables.separation.feature_normalization import FeatureNormalization
from trainables.separation.label_phases import phase_start, starts_anew
from trainables.separation.label_switches import LabelSwitches
from trainables.separation.labels import Labels
from trainables.separation.pretraining_tasks import build_task
from trainables.separation.separators import build_separator, load_pretrained
from trainables.training.learning_rate import NOAM_LR, noam_rate

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch
    from trainables.job.assignment import DataSettings

_OBSERVED_BATCH = 10  # observed mixtures per batch
_MINIMUM_FRAMES = 2  # a norm over a single frame would see no variance


def build(config: SeparationConfig, artifacts: dict[str, bytes], seed: int) -> "Separation":
    """The method with its weights set from `seed` and, with strategy="ptft", from its pre-training."""
    state = unpack(artifacts["pretraining"])["network"] if config.strategy == "ptft" else None
    network = _fresh_network(config, state, seed)
    pretrained = None
    if config.norm_blocks and state is not None:  # without pre-training there are none
        pretrained = build_separator(config, 1, seed)
        pretrained.load_state_dict(state)
    method = Separation(config, network, pretrained)
    if starts_anew(config.label_strategy):
        method.fresh_network = partial(_fresh_network, config, state)
    return method


def _fresh_network(config: SeparationConfig, state: Mapping[str, Tensor] | None, seed: int) -> MaskingSeparator:
    """An untrained network, or with `state` the pre-trained one whose other layers are drawn from `seed`."""
    network = build_separator(config, config.outputs, seed)
    if state is not None:
        load_pretrained(network, config, state)
    return network


class Separation(Method):
    """A separator, its second task in multi-task training, its labels, and the monitor of label switches.

    Attributes:
        fresh_network: seed -> a network as it is before training; None where training never starts anew.
    """

    fresh_network: Callable[[int], MaskingSeparator] | None = None

    def __init__(self, config: SeparationConfig, network: MaskingSeparator, pretrained: MaskingSeparator | None = None):
        super().__init__()
        self.config = config
        self.sources = config.sources
        self.network = network
        self.task: nn.Module | None = None
        if config.strategy == "multitask":
            self.task = build_task(config, network)
        self.labels: Labels | None = None
        if config.label_strategy != "pit":
            self.labels = Labels(config.label_strategy, config.pool_mixtures, config.sources)
        self.switches = LabelSwitches(config.observed_mixtures, config.sources)
        self._phase: dict[str, float] = {}
        self.normalization = None
        if pretrained is not None:
            self.normalization = FeatureNormalization(network, pretrained, config.norm_blocks)

    # -- training ---------------------------------------------------------------------------------------

    def draw_batches(self, corpus: "Corpus", data: "DataSettings", seed: int, step: int) -> Sequence["Batch"]:
        """One separation batch; with multi-task training the step's enhancement batches around it."""
        pool = self.config.pool_mixtures
        if pool is None:
            separation = mixture_batch(corpus, data, seed, step)
        else:
            separation = pooled_batch(corpus, data, pool, seed, step)
        if self.task is None:
            return [separation]
        ratio = self.config.mtl_ratio
        low, high = self.config.noise_snr_low, self.config.noise_snr_high
        noisy = replace(data, snr_low=low, snr_high=high, training_snrs=(), speakers=1)
        numbers = range(int(step * ratio), int((step + 1) * ratio))
        batches = [noisy_batch(self.pretraining_corpus or corpus, noisy, seed, number) for number in numbers]
        place = int(generator(seed, "task order", step).integers(len(batches) + 1))
        return [*batches[:place], separation, *batches[place:]]

    def phase_start(self, when: When) -> int:
        return phase_start(self.config.label_strategy, when.step, when.steps)

    def begin_phase(self, corpus: "Corpus", data: "DataSettings", seed: int, when: When) -> None:
        """Keep the labels that the network gives, then start anew, as the phase of the label strategy says."""
        if self.labels is None:
            return
        pool, phase = self.config.pool_mixtures, self.labels.phase(when)
        if when.step == 0 and pool is not None:
            self.labels.expect(pool_voices(corpus, data, pool, seed))
        if phase.labels in ("kept", "shuffled"):
            assert pool is not None
            mixtures = whole_pool(corpus, data, pool, seed, self.config.observed_seconds)
            self.eval()
            self.labels.keep(self.network, mixtures, phase.labels == "shuffled", seed)
            self.train()
        if phase.anew:
            assert self.fresh_network is not None
            fresh = self.fresh_network(derive_seed(seed, "anew", when.step))
            self.network.load_state_dict(fresh.state_dict())
            self.observe(corpus, data)  # the next label switches are of this network alone

    def training_losses(self, batch: "Batch", when: When) -> dict[str, Tensor]:
        """For mixtures (`clean` holds every voice) their assignment's loss in dB, for single voices the task's."""
        self._set_strength(when)
        if batch.clean.dim() == 2:
            assert self.task is not None
            loss = self.task(self.network, batch)
            return {"enhancement": loss, "total": self.config.mtl_weight * loss}
        if self.normalization is not None:
            self.normalization.take_targets(batch.clean, batch.lengths)
        estimates = self.network(batch.noisy, batch.lengths)[:, : self.sources]
        return self._assignment_losses(pairwise_si_sdr(estimates, batch.clean, batch.lengths), batch, when)

    def _assignment_losses(self, pairwise: Tensor, batch: "Batch", when: When) -> dict[str, Tensor]:
        """By labels, PIT, or probabilistic PIT and how undecided it is: 0 as PIT, 1 the mean of all assignments."""
        if self.labels is not None:
            self._phase = {"phase": float(self.labels.phase_number(when))}
            return self.labels.losses(pairwise, batch, when)
        temperature = self._temperature(when)
        if temperature is None:
            loss = -best_assignment(pairwise).score.mean()
            return {"separation": loss, "total": loss}
        loss = soft_pit_loss(pairwise, temperature)
        entropy = undecided(assignment_weights(pairwise.detach(), temperature)).mean()
        return {"separation": loss, "undecided": entropy, "total": loss}

    def _temperature(self, when: When) -> float | None:
        """In dB; None = plain PIT."""
        config = self.config
        if config.pit == "hard":
            return None
        return temperature_at(when.progress, config.temperature, config.temperature_end, config.temperature_share)

    def parameter_groups(self) -> list[dict[str, Any]]:
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        return [{"params": parameters, "lr": self.config.lr, "weight_decay": self.config.weight_decay}]

    def learning_rate_factor(self, when: When) -> float | None:
        if self.config.schedule == "plateau":
            return None
        return noam_rate(when.step, when.epoch, self.config.noam_scale) / NOAM_LR

    # -- inference --------------------------------------------------------------------------------------

    @torch.no_grad()
    def infer(self, mixture: Tensor) -> Tensor:
        return self.network(mixture)[:, : self.sources]

    def before_inference(self, when: When, ablate: bool = False) -> None:
        """Running statistics at the present strength; `ablate` sets it to 0."""
        self._set_strength(when, ablate)

    def minimum_samples(self) -> int:
        kernel, stride = self.network.kernel, self.network.kernel // 2
        return kernel + (_MINIMUM_FRAMES - 1) * stride

    # -- what is observed -------------------------------------------------------------------------------

    def observe(self, corpus: "Corpus", data: "DataSettings") -> dict[str, float]:
        """Label switches since the last call, on fixed training mixtures, without normalization."""
        if self.config.observed_mixtures == 0:
            return {}
        training, strength = self.training, self._strength()
        self.eval()
        self._use_strength(0.0)
        drawn = replace(data, batch=_OBSERVED_BATCH, crop_seconds=self.config.observed_seconds)
        batches = _observed(corpus, drawn, self.config.observed_mixtures)
        found = self.switches.measure(self.network, list(batches))
        self._use_strength(strength)
        self.train(training)
        return found

    def diagnostics(self) -> dict[str, float]:
        return self._phase if self.normalization is None else {**self._phase, **self.normalization.diagnostics()}

    # -- normalization's strength -----------------------------------------------------------------------

    def _set_strength(self, when: When, ablate: bool = False) -> None:
        remaining = max(0.0, 1.0 - when.progress / self.config.k_end)
        self._use_strength(0.0 if ablate else self.config.k0 * remaining)

    def _use_strength(self, k: float) -> None:
        if self.normalization is not None:
            self.normalization.set_strength(k)

    def _strength(self) -> float:
        return 0.0 if self.normalization is None else float(self.normalization.strengths.max())


@lru_cache(maxsize=2)
def _observed(corpus: "Corpus", data: "DataSettings", count: int) -> tuple["Batch", ...]:
    """The same `count` training mixtures for every job, whatever its seed."""
    drawn = -(-count // data.batch)
    batches = [mixture_batch(corpus, data, 0, number, "observed mixtures") for number in range(drawn)]
    spare = drawn * data.batch - count
    if spare:
        kept = data.batch - spare
        batches[-1] = batches[-1].first(kept)
    return tuple(batches)
