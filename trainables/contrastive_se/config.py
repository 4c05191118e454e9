"""Everything that defines one contrastive speech-enhancement trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.

The loss is  scale * (L_SE + w * L_CL).  The report writes its mix as L_CL + 0.1 L_SE (eq. 5): that is
cl_weight = 10 with mix_scale = 0.1. Keeping the two apart keeps the contrastive weight apart from the
learning rate: at mix_scale = 1 every schedule trains enhancement with the same step.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from trainables.config.fields import choice, flag, number, whole
from trainables.config.method_config import MethodConfig
from trainables.job.assignment import DataSettings

TARGETS = ("none", "byol", "simsiam")
SCHEDULES = ("full", "round", "pretrain", "anneal")

# None = the size's own.
_SIZE_FIELDS = ("hidden", "groups", "encoder_blocks", "predictor_blocks")


@dataclass(frozen=True, kw_only=True)
class Widths:
    """The sizes of one network, resolved."""

    channels: int  # of z and p
    pooled: tuple[int, int]  # of the pooled branch after its first and second block
    hidden: int  # N of the main blocks, which expand to 2 N
    groups: int
    encoder_blocks: int
    predictor_blocks: int
    decoder_blocks: int = 0


# "base" is the report's Tables 6-8 to the parameter; "tiny" keeps its kernels, hop and order of layers. "tiny" has as
# many channels as a frame has samples, since with fewer the waveform itself would not get through, and is narrow at
# the high rates, which take a third of a step's time.
_WIDTHS = {
    "base": Widths(channels=128, pooled=(32, 64), hidden=256, groups=8, encoder_blocks=2, predictor_blocks=4),
    "tiny": Widths(channels=64, pooled=(8, 16), hidden=32, groups=4, encoder_blocks=1, predictor_blocks=1),
}


@dataclass(frozen=True, kw_only=True)
class ContrastiveSEConfig(MethodConfig):
    """One candidate of "which contrastive loss, when, and how much?" with its nuisance values."""

    METHOD = "contrastive_se"

    # Tables 6-8; the tables' decoder has no main blocks before its convolution.
    size: str = choice(
        "tiny", of=("tiny", "base"), section="Autoencoder", help="base is the report's, tiny is for a CPU."
    )
    hidden: int | None = whole(
        None, (8, 4096), unit="channels", help="Width N of the main blocks; null = the size's own."
    )
    groups: int | None = whole(None, (1, 256), unit="groups", help="A divisor of hidden; null = the size's own.")
    encoder_blocks: int | None = whole(
        None, (0, 16), unit="blocks", help="Main blocks of the encoder; null = the size's own."
    )
    predictor_blocks: int | None = whole(
        None, (0, 16), unit="blocks", help="Main blocks of the predictor; null = the size's own."
    )
    decoder_blocks: int = whole(0, (0, 16), unit="blocks", help="Main blocks of the decoder; the report has none.")
    inner_skip: str = choice(
        "other", of=("other", "same"), help="The large kernels' half is added to the other half or to itself."
    )
    decoder_input: str = choice("predictor", of=("predictor", "encoder"), help="Whose output the decoder reads.")

    target: str = choice(
        "none",
        of=TARGETS,
        section="Contrastive term",
        help="byol: a momentum copy of the encoder; simsiam: the encoder itself.",
    )
    schedule: str = choice("full", of=SCHEDULES, help="When the term is on: always, by turns, at first, or fading.")
    weighting: str = choice(
        "fixed",
        of=("fixed", "balanced"),
        help="fixed by cl_weight, or balanced by the gradients at cl_ratio.",
    )
    cl_weight: float = number(10.0, (0.0, 1e4), help="w in L_SE + w L_CL; the report's mix is 10 with mix_scale=0.1.")
    cl_ratio: float = number(1.0, (1e-3, 1e3), help="balanced: ratio of the norms of the two gradients.")
    cl_floor: float = number(0.0, (0.0, 1.0), unit="share of the weight", help="What is kept while the term is off.")
    mix_scale: float = number(1.0, (1e-4, 1e2), help="Factor of the loss while the term is on; the report's is 0.1.")
    se_only_scale: float = number(1.0, (1e-4, 1e2), help="Factor of the loss while the term is off.")
    round_period: float = number(
        0.125, (1e-6, 1.0), unit="share of the budget", help="round: time between two switches."
    )
    pretrain_share: float = number(
        0.125, (0.0, 1.0), unit="share of the budget", help="pretrain: when the term is switched off."
    )
    anneal_share: float = number(
        1.0, (1e-6, 1.0), unit="share of the budget", help="anneal: when the weight reaches 0."
    )
    similarity: str = choice("frame", of=("frame", "pooled"), help="Cosine per frame, or of means over time.")
    stop_gradient: bool = flag(True, help="false lets SimSiam collapse, as a control.")
    tau: float = number(0.99, (0.0, 1.0), help="byol: momentum of the target network.")
    tau_ramp: str = choice("off", of=("off", "cosine"), help="byol: cosine raises tau to 1.")

    views: int = whole(2, (2, 8), unit="views", section="Views of a clean crop", help="Noisy versions of each crop.")
    same_snr: bool = flag(False, help="One SNR for all views of a crop.")
    batch_of: str = choice("crops", of=("crops", "views"), help="What the size of a batch counts.")

    # lr_floor = 1 keeps the rate constant after the warm-up.
    optimizer: str = choice("sgd", of=("sgd", "adamw"), section="Optimizer", help="The report's is sgd.")
    lr: float = number(0.05, (1e-7, 10.0), help="Peak learning rate.")
    momentum: float = number(0.9, (0.0, 0.999), help="Momentum of sgd.")
    weight_decay: float = number(1e-4, (0.0, 1.0), help="Decay of the weights.")
    warmup_share: float = number(0.0, (0.0, 0.9), unit="share of the budget", help="Linear warm-up.")
    lr_floor: float = number(1.0, (0.0, 1.0), unit="share of the peak", help="End of the cosine decay.")
    clip: float = number(5.0, (1e-6, 1e6), help="Largest norm of the gradient.")

    def to_dict(self) -> dict[str, Any]:
        """Every field, but for a `batch_of` at its default: it is newer than stages whose keys hold the others."""
        values = super().to_dict()
        if self.batch_of == "crops":
            del values["batch_of"]
        return values

    def data_settings(self, data: DataSettings) -> DataSettings:
        """Fewer crops where the batch counts their views."""
        if self.batch_of == "crops":
            return data
        if data.batch % self.views:
            raise self.refusal(
                "batch_of", "views", f"a batch of {data.batch} has to be a multiple of {self.views} views"
            )
        return replace(data, batch=data.batch // self.views)

    def until_first_switch(self) -> tuple["ContrastiveSEConfig", float]:
        """The training without a schedule, and the share of the budget for which this is the same.

        0 for "anneal", which lowers the weight from the first step on; infinity where nothing ever switches.
        """
        unscheduled = replace(self, schedule="full").effective()
        shares = {
            "full": math.inf,
            "round": self.round_period,
            "pretrain": self.pretrain_share,
            "anneal": 0.0,
        }
        return unscheduled, shares[self.schedule]

    def phase_switches(self) -> tuple[float, ...]:
        """Every share of the budget, in (0, 1), at which the contrastive term goes on or off: marks of a curve."""
        if self.contrastive and self.schedule == "round":
            count = math.ceil(1.0 / self.round_period - 1e-9) - 1
            return tuple(self.round_period * (number + 1) for number in range(count))
        ends = {"pretrain": self.pretrain_share, "anneal": self.anneal_share}
        end = ends.get(self.schedule, 1.0) if self.contrastive else 1.0
        return (end,) if 0.0 < end < 1.0 else ()

    @property
    def widths(self) -> Widths:
        """The network's sizes: the size's own where a field is None."""
        chosen = {name: getattr(self, name) for name in _SIZE_FIELDS if getattr(self, name) is not None}
        return replace(_WIDTHS[self.size], **chosen, decoder_blocks=self.decoder_blocks)

    @property
    def contrastive(self) -> bool:
        return self.target != "none"

    # -- validation ---------------------------------------------------------------------------------

    def check_together(self) -> None:
        widths = self.widths
        if widths.hidden % widths.groups:
            raise self.refusal("groups", widths.groups, f"a divisor of hidden={widths.hidden}")
        if not self.stop_gradient and self.target != "simsiam":
            raise self.refusal("stop_gradient", False, 'only true, except with target="simsiam"')

    def idle(self) -> Collection[str]:
        unused = {name for names, used in self._conditions() if not used for name in names}
        widths = _WIDTHS[self.size]
        return unused | {name for name in _SIZE_FIELDS if getattr(self, name) == getattr(widths, name)}

    def _conditions(self) -> tuple[tuple[tuple[str, ...], bool], ...]:
        """Fields, and whether they do anything here."""
        on = self.contrastive
        switches = self.schedule in ("round", "pretrain", "anneal")
        return (
            (("schedule", "weighting", "similarity", "stop_gradient", "mix_scale"), on),
            (("cl_weight",), on and self.weighting == "fixed"),
            (("cl_ratio",), on and self.weighting == "balanced"),
            (("cl_floor", "se_only_scale"), on and switches),
            (("round_period",), on and self.schedule == "round"),
            (("pretrain_share",), on and self.schedule == "pretrain"),
            (("anneal_share",), on and self.schedule == "anneal"),
            (("tau", "tau_ramp"), self.target == "byol"),
            (("momentum",), self.optimizer == "sgd"),
        )
