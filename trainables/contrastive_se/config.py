"""Everything that defines one contrastive speech-enhancement trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.

The loss is  scale * (L_SE + w * L_CL).  The report writes its mix as L_CL + 0.1 L_SE (eq. 5): that is
cl_weight = 10 with mix_scale = 0.1. Keeping the two apart keeps the contrastive weight apart from the
learning rate: at mix_scale = 1 every schedule trains enhancement with the same step.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from trainables.config.field_rules import FieldRules
from trainables.config.method_config import MethodConfig

TARGETS = ("none", "byol", "simsiam")
SCHEDULES = ("full", "round", "pretrain", "anneal")

_CHOICES: dict[str, tuple[Any, ...]] = {
    "size": ("tiny", "base"),
    "inner_skip": ("other", "same"),
    "decoder_input": ("predictor", "encoder"),
    "target": TARGETS,
    "schedule": SCHEDULES,
    "weighting": ("fixed", "balanced"),
    "similarity": ("frame", "pooled"),
    "tau_ramp": ("off", "cosine"),
    "optimizer": ("sgd", "adamw"),
}
# field -> (lowest, highest), both allowed
_RANGES: dict[str, tuple[float, float]] = {
    "hidden": (8, 4096),
    "groups": (1, 256),
    "encoder_blocks": (0, 16),
    "predictor_blocks": (0, 16),
    "decoder_blocks": (0, 16),
    "cl_weight": (0.0, 1e4),
    "cl_ratio": (1e-3, 1e3),
    "cl_floor": (0.0, 1.0),
    "mix_scale": (1e-4, 1e2),
    "se_only_scale": (1e-4, 1e2),
    "round_period": (1e-6, 1.0),
    "pretrain_share": (0.0, 1.0),
    "anneal_share": (1e-6, 1.0),
    "tau": (0.0, 1.0),
    "views": (2, 8),
    "lr": (1e-7, 10.0),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 1.0),
    "warmup_share": (0.0, 0.9),
    "lr_floor": (0.0, 1.0),
    "clip": (1e-6, 1e6),
}
_WHOLE_NUMBERS = ("hidden", "groups", "encoder_blocks", "predictor_blocks", "decoder_blocks", "views")
_FLAGS = ("same_snr", "stop_gradient")
_OPTIONAL = ("hidden", "groups", "encoder_blocks", "predictor_blocks")  # None = the size's own
_RULES = FieldRules(
    method="contrastive_se",
    choices=_CHOICES,
    ranges=_RANGES,
    whole_numbers=_WHOLE_NUMBERS,
    flags=_FLAGS,
    optional=_OPTIONAL,
)


@dataclass(frozen=True, kw_only=True)
class Widths:
    """The sizes of one network, resolved."""

    channels: int  # of z and p
    pooled: tuple[int, int]  # of the pooled branch after its first and second block
    hidden: int  # N of the main blocks, which expand to 2 N
    groups: int
    encoder_blocks: int
    predictor_blocks: int
    decoder_blocks: int


# "base" is the report's Tables 6-8 to the parameter; "tiny" keeps its kernels, hop and order of layers. It has as
# many channels as a frame has samples, for with fewer the waveform itself would not pass through, and is narrow where
# the rate is high, for there lies a third of a step's time.
_WIDTHS = {
    "base": Widths(
        channels=128,
        pooled=(32, 64),
        hidden=256,
        groups=8,
        encoder_blocks=2,
        predictor_blocks=4,
        decoder_blocks=0,
    ),
    "tiny": Widths(
        channels=64,
        pooled=(8, 16),
        hidden=32,
        groups=4,
        encoder_blocks=1,
        predictor_blocks=1,
        decoder_blocks=0,
    ),
}


@dataclass(frozen=True, kw_only=True)
class ContrastiveSEConfig(MethodConfig):
    """One candidate of "which contrastive loss, when, and how much?" with its nuisance values.

    Build it with `from_dict`, which validates and reduces it to its effective settings: two configurations
    that train the same network in the same way are equal.
    """

    # The autoencoder (Tables 6-8). None = the size's own.
    size: str = "tiny"
    hidden: int | None = None
    groups: int | None = None
    encoder_blocks: int | None = None
    predictor_blocks: int | None = None
    decoder_blocks: int = 0  # main blocks before the decoder's convolution; the tables have none
    inner_skip: str = "other"  # what the large kernels' half is added to: the other half, or its own input
    decoder_input: str = "predictor"  # what the decoder reads

    # The contrastive term.
    target: str = "none"  # "byol": a momentum copy of the encoder; "simsiam": the encoder itself
    schedule: str = "full"
    weighting: str = "fixed"  # "balanced": the weight follows the gradients' norms
    cl_weight: float = 10.0  # w; at mix_scale = 0.1 the report's mix
    cl_ratio: float = 1.0  # balanced: norm of the contrastive gradient over that of the enhancement one
    cl_floor: float = 0.0  # share of the weight that stays in the phases without it
    mix_scale: float = 1.0  # of the whole loss while the contrastive term is on; the report's is 0.1
    se_only_scale: float = 1.0  # of the whole loss while it is off
    round_period: float = 0.125  # share of the budget between two switches of schedule="round"
    pretrain_share: float = 0.125  # share of the budget before schedule="pretrain" switches it off
    anneal_share: float = 1.0  # share of the budget over which schedule="anneal" lowers the weight
    similarity: str = "frame"  # "pooled": cosine of vectors averaged over time
    stop_gradient: bool = True  # False lets SimSiam collapse: a control for the monitors, nothing else
    tau: float = 0.99  # BYOL: what the target keeps of itself at each step
    tau_ramp: str = "off"  # BYOL: "cosine" raises tau to 1 over the budget

    # The views of one clean crop.
    views: int = 2
    same_snr: bool = False  # one SNR for all views of a crop

    # Optimizer. lr_floor = 1 keeps the rate constant after the warm-up.
    optimizer: str = "sgd"
    lr: float = 0.05
    momentum: float = 0.9  # sgd only
    weight_decay: float = 1e-4
    warmup_share: float = 0.0
    lr_floor: float = 1.0
    clip: float = 5.0  # norm of the gradient

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "ContrastiveSEConfig":
        """Validate and reduce to effective settings.

        Raises:
            UserError: naming the field, its value and what is allowed.
        """
        _RULES.refuse_unknown(values, ContrastiveSEConfig)
        config = ContrastiveSEConfig(**values)
        config._check_fields()
        config._check_together()
        return config._effective()

    def until_first_switch(self) -> tuple["ContrastiveSEConfig", float]:
        """The training without a schedule, and the share of the budget for which this is the same.

        0 for "anneal", which lowers the weight from the first step on; infinity where nothing ever switches.
        """
        unscheduled = replace(self, schedule="full")._effective()
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
        names = ("hidden", "groups", "encoder_blocks", "predictor_blocks")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(_WIDTHS[self.size], **chosen, decoder_blocks=self.decoder_blocks)

    @property
    def contrastive(self) -> bool:
        return self.target != "none"

    @staticmethod
    def allowed_values() -> dict[str, str]:
        """What each field may be, in words."""
        return _RULES.in_words()

    # -- validation ---------------------------------------------------------------------------------

    def _check_fields(self) -> None:
        _RULES.check(self)

    def _check_together(self) -> None:
        widths = self.widths
        if widths.hidden % widths.groups:
            raise _RULES.refusal("groups", widths.groups, f"a divisor of hidden={widths.hidden}")
        if not self.stop_gradient and self.target != "simsiam":
            raise _RULES.refusal("stop_gradient", False, 'only true, except with target="simsiam"')

    def _effective(self) -> "ContrastiveSEConfig":
        """What has no effect takes its default."""
        idle = {name for names, used in self._conditions() if not used for name in names}
        widths = _WIDTHS[self.size]
        own = {name for name in _OPTIONAL if getattr(self, name) == getattr(widths, name)}
        return replace(self, **{name: _DEFAULTS[name] for name in idle | own})

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


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(ContrastiveSEConfig)}
