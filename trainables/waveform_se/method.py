"""Supervised waveform enhancement: a network from noisy to clean speech, trained on the task itself.

Losses and optimizer are those of DEMUCS (Defossez, Synnaeve and Adi, "Real time speech enhancement in the waveform
domain", Interspeech 2020), which SE-Conformer takes over. Every mixture is scaled to unit RMS first, its clean
reference by the same gain, and the estimate is scaled back.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainables.audio.features import rms
from trainables.base.padding import valid_mask
from trainables.base.randomness import derive_seed
from trainables.base.tensors import unpack
from trainables.losses.si_sdr import si_sdr_loss
from trainables.losses.stft import DEMUCS_RESOLUTIONS, multi_resolution_stft_loss
from trainables.method import Method, When
from trainables.networks.enhancement_networks import BUILDERS, SIZES, as_waves, shortest_input
from trainables.waveform_se.augmentations import augmented
from trainables.waveform_se.config import SAMPLE_RATE, WaveformSEConfig

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch
    from trainables.job.assignment import DataSettings

_SMALLEST_RMS = 1e-6  # below 16-bit resolution: silence is not blown up


def build(config: WaveformSEConfig, artifacts: dict[str, bytes], seed: int) -> "WaveformSE":
    """The method with weights drawn from `seed` or of a checkpoint; the global generators are left unchanged."""
    sizes = {**SIZES[config.network, config.size], **config.overrides}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "waveform_se"))
        network = BUILDERS[config.network](**sizes)
    if "weights" in artifacts:
        network.load_state_dict(unpack(artifacts["weights"])["network"])
    return WaveformSE(config, network, shortest_input(sizes))


class WaveformSE(Method):
    """One network, and nothing else."""

    def __init__(self, config: WaveformSEConfig, network: nn.Module, shortest: int):
        """`shortest` is the fewest samples that the network takes."""
        super().__init__()
        self.config = config
        self.network = network
        self._shortest = shortest

    def draw_batches(self, corpus: "Corpus", data: "DataSettings", seed: int, step: int) -> Sequence["Batch"]:
        """One, as the configuration has it augmented; Shift leaves crops of the plan's length."""
        samples = round(data.crop_seconds * SAMPLE_RATE)
        longer = replace(data, crop_seconds=data.crop_seconds + self.config.shift_seconds)
        drawn = super().draw_batches(corpus, longer, seed, step)
        return [augmented(batch, self.config, seed, step, samples) for batch in drawn]

    def training_losses(self, batch: "Batch", when: When) -> dict[str, Tensor]:
        gain = _unit_gain(batch.noisy, batch.lengths)
        clean = batch.clean * gain
        estimate = as_waves(self.network(batch.noisy * gain, batch.lengths))
        config, lengths = self.config, batch.lengths
        terms = {
            "l1": (config.w_l1, lambda: l1_loss(estimate, clean, lengths)),
            "mstft": (
                config.w_mstft,
                lambda: multi_resolution_stft_loss(estimate, clean, lengths, DEMUCS_RESOLUTIONS, over_batch=True),
            ),
            "si_sdr": (config.w_si_sdr, lambda: si_sdr_loss(estimate, clean, lengths)),
        }
        losses = {name: loss() for name, (weight, loss) in terms.items() if weight > 0.0}
        weighted = [terms[name][0] * loss for name, loss in losses.items()]
        return {**losses, "total": torch.stack(weighted).sum()}

    @torch.no_grad()
    def infer(self, mixture: Tensor) -> Tensor:
        gain = _unit_gain(mixture)
        return (as_waves(self.network(mixture * gain)) / gain)[:, None]

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.network.parameters()), "lr": self.config.lr}]

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameter_groups(), betas=(0.9, self.config.beta2), fused=True)

    def minimum_samples(self) -> int:
        return self._shortest


def l1_loss(estimate: Tensor, clean: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean absolute error over each item's valid samples, averaged over items."""
    valid = valid_mask(clean, lengths)
    return (((estimate - clean).abs() * valid).sum(dim=-1) / valid.sum(dim=-1)).mean()


def _unit_gain(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, 1): the gain that scales every waveform to an RMS of 1."""
    return 1.0 / rms(wave, lengths).clamp(min=_SMALLEST_RMS)
