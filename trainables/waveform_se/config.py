"""Everything that defines one trial of supervised waveform enhancement, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py. Defaults are
DEMUCS's recipe with its non-causal weight of the STFT loss; the batch and the crop are the plan's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from trainables.config.fields import choice, flag, number
from trainables.config.method_config import MethodConfig

NETWORKS = ("demucs", "se_conformer", "conv_tasnet")
_CONFORMER_FIELDS = ("feed_forward", "taps")


@dataclass(frozen=True, kw_only=True)
class WaveformSEConfig(MethodConfig):
    """One way to train an enhancement network from scratch, on noisy speech and its clean reference."""

    METHOD = "waveform_se"

    network: str = choice("demucs", of=NETWORKS, section="Network", help="The network that is trained.")
    size: str = choice("tiny", of=("tiny", "base"), help="base is published, tiny is for a CPU.")
    hidden: int = choice(64, of=(48, 64), unit="channels", help="Of DEMUCS's first layer at base size.")
    causal: bool = flag(True, help="DEMUCS: an LSTM of one direction; false at base size halves stride and resampling.")
    feed_forward: int = choice(
        64, of=(64, 512, 2048), unit="channels", help="SE-Conformer at base size: inner width; not published."
    )
    taps: int = choice(15, of=(15, 31), unit="frames", help="SE-Conformer at base size: kernel of its convolutions.")
    conv_norm: str = choice("layer", of=("layer", "batch"), help="SE-Conformer: norm of its convolutions.")

    w_l1: float = number(1.0, (0.0, 1e3), section="Losses", help="Weight of the waveform's mean absolute error.")
    w_mstft: float = number(
        0.5, (0.0, 1e3), help="Weight of the multi-resolution STFT loss; DEMUCS's causal recipe has 0.1."
    )
    w_si_sdr: float = number(0.0, (0.0, 1e3), unit="per dB", help="Weight of the negative SI-SDR.")
    remix: bool = flag(False, help="The noises of a batch change places.")

    lr: float = number(3e-4, (1e-7, 1.0), section="Optimizer: Adam", help="Peak learning rate.")
    beta2: float = choice(0.999, of=(0.99, 0.999), help="Of the squared gradient's average.")
    clip: float | None = number(
        None, (1e-6, 1e6), optional=True, help="Largest norm of the gradient; null = no clipping."
    )
    warmup_share: float = number(0.0, (0.0, 0.9), unit="share of the budget", help="Linear warm-up.")
    lr_floor: float = number(1.0, (0.0, 1.0), unit="share of the peak", help="End of the cosine decay.")

    @property
    def overrides(self) -> dict[str, Any]:
        """The network's arguments that differ from, or are added to, those of its size."""
        base = self.size == "base"
        if self.network == "demucs":
            own = {"hidden": self.hidden} if base else {}
            published = {"stride": 2, "resample": 2} if base and not self.causal else {}
            return {**own, **published, "causal": self.causal}
        if self.network == "se_conformer":
            own = {name: getattr(self, name) for name in _CONFORMER_FIELDS} if base else {}
            return {**own, "conv_norm": self.conv_norm}
        return {}

    def check_together(self) -> None:
        if not self.w_l1 + self.w_mstft + self.w_si_sdr:
            raise self.refusal("w_l1, w_mstft, w_si_sdr", 0, "at least one loss weight above 0")

    def idle(self) -> Collection[str]:
        base = self.size == "base"
        used = (
            (("hidden",), base and self.network == "demucs"),
            (("causal",), self.network == "demucs"),
            (_CONFORMER_FIELDS, base and self.network == "se_conformer"),
            (("conv_norm",), self.network == "se_conformer"),
        )
        return [name for names, here in used if not here for name in names]
