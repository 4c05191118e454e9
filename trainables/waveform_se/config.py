"""Everything that defines one trial of supervised waveform enhancement, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py. Defaults are
DEMUCS's recipe with its non-causal weight of the STFT loss; the batch and the crop are the plan's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Unpack

from trainables.base.published.files import require_reachable
from trainables.base.published.source import identity, located
from trainables.config.fields import choice, flag, number, text, whole
from trainables.config.method_config import MethodConfig
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace

SAMPLE_RATE = 16_000  # Hz, of all networks
BANDS = 120  # of the mel scale that bands are drawn on
NETWORKS = ("demucs", "se_conformer", "conv_tasnet")
_SHORTEST = {"conv_tasnet": 32}  # samples of a crop, a kernel; the others need two
_WEIGHTS_VERSION = 1  # bump when a change of code changes what is read from a file
_CONFORMER_FIELDS = ("feed_forward", "taps")


@dataclass(frozen=True, kw_only=True)
class WaveformSEConfig(MethodConfig):
    """One way to train an enhancement network on noisy speech and its clean reference."""

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
    checkpoint: str | None = text(
        what="a hub id of one file, a path or s3://...",
        place=located,
        help="Weights to start from, as the network's own program writes them; null = drawn.",
    )

    w_l1: float = number(1.0, (0.0, 1e3), section="Losses", help="Weight of the waveform's mean absolute error.")
    w_mstft: float = number(
        0.5, (0.0, 1e3), help="Weight of the multi-resolution STFT loss; DEMUCS's causal recipe has 0.1."
    )
    w_si_sdr: float = number(0.0, (0.0, 1e3), unit="per dB", help="Weight of the negative SI-SDR.")

    remix: bool = flag(False, section="Augmentation", help="The noises of a batch change places.")
    band_mask: float = number(
        0.0, (0.0, 1.0), unit="share of 120 bands", help="The widest band that is taken out of a batch; 0 = none."
    )
    shift_seconds: float = number(
        0.0, (0.0, 60.0), unit="s", help="Crops are drawn longer by this and begin anywhere in it."
    )
    echo: float = number(0.0, (0.0, 1.0), unit="probability", help="Of a batch to be put into a room with echoes.")

    lr: float = number(3e-4, (1e-7, 1.0), section="Optimizer: Adam", help="Peak learning rate.")
    beta2: float = choice(0.999, of=(0.99, 0.999), help="Of the squared gradient's average.")
    clip: float | None = number(
        None, (1e-6, 1e6), optional=True, help="Largest norm of the gradient; null = no clipping."
    )
    warmup_share: float = number(0.0, (0.0, 0.9), unit="share of the budget", help="Linear warm-up.")
    lr_floor: float = number(1.0, (0.0, 1.0), unit="share of the peak", help="End of the cosine decay.")
    plateau_patience: int | None = whole(
        None, (0, 10_000), unit="rounds", help="Without a better score before the rate falls; null = it never does."
    )
    plateau_factor: float = number(0.5, (0.01, 1.0), help="Factor of the rate at a plateau.")

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

    @property
    def augments(self) -> bool:
        return bool(self.remix or self.band_mask or self.shift_seconds or self.echo)

    def stages(self, seed: int, **place: Unpack[StagePlace]) -> tuple[Stage, ...]:
        """The weights of a checkpoint."""
        if self.checkpoint is None:
            return ()
        stage = Stage(
            kind="weights",
            name=f"{self.network} checkpoint",
            runner="waveform_se_weights",
            version=_WEIGHTS_VERSION,
            config={
                "network": self.network,
                "size": self.size,
                "overrides": self.overrides,
                "checkpoint": self.checkpoint,
                "identity": identity(self.checkpoint),
            },
            seed=0,
            corpus_uri="",
            corpus_fingerprint="",
        )
        return (stage,)

    def require_inputs(self) -> None:
        if self.checkpoint is not None:
            require_reachable(self.checkpoint)

    def data_settings(self, data: DataSettings) -> DataSettings:
        """The plan's own.

        Raises:
            UserError: other than one voice at 16 kHz, or a crop that is shorter than the network's first kernel.
        """
        for name, wanted in (("speakers", 1), ("sample_rate", SAMPLE_RATE)):
            if getattr(data, name) != wanted:
                raise self.refusal(name, getattr(data, name), f"{wanted} for {self.network}, which enhances one voice")
        shortest = _SHORTEST.get(self.network, 2)
        if round(data.crop_seconds * SAMPLE_RATE) < shortest:
            raise self.refusal(
                "crop_seconds", data.crop_seconds, f"{shortest / SAMPLE_RATE:g} s and longer for {self.network}"
            )
        return data

    def check_together(self) -> None:
        if not self.w_l1 + self.w_mstft + self.w_si_sdr:
            raise self.refusal("w_l1, w_mstft, w_si_sdr", 0, "at least one loss weight above 0")
        # Below these nothing is ever taken out, and every crop begins where it began.
        if 0.0 < self.band_mask < 2 / BANDS:
            raise self.refusal("band_mask", self.band_mask, f"0, or 2/{BANDS} = {2 / BANDS:.4f} and more")
        if 0.0 < self.shift_seconds < 2 / SAMPLE_RATE:
            raise self.refusal("shift_seconds", self.shift_seconds, f"0, or two samples, {2 / SAMPLE_RATE:g}, and more")

    def idle(self) -> Collection[str]:
        base = self.size == "base"
        used = (
            (("hidden",), base and self.network == "demucs"),
            (("causal",), self.network == "demucs"),
            (_CONFORMER_FIELDS, base and self.network == "se_conformer"),
            (("conv_norm",), self.network == "se_conformer"),
            (("plateau_factor",), self.plateau_patience is not None),
        )
        return [name for names, here in used if not here for name in names]
