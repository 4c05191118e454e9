"""Everything that defines one separation trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from trainables.base.weights_file import content_digest
from trainables.config.field_rules import FieldRules
from trainables.config.method_config import MethodConfig
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage
from trainables.separation.architectures import ARCHITECTURES, MODELS, SIZES

# Bump when a change of code changes what pre-training produces (trainables/separation/pretraining.py).
PRETRAINING_VERSION = 1

STRATEGIES = ("scratch", "ptft", "multitask")
TASKS = ("se", "mama", "cc")
_CHOICES: dict[str, tuple[Any, ...]] = {
    "model": MODELS,
    "size": SIZES,
    "strategy": STRATEGIES,
    "pretrain_task": TASKS,
    "reinit": ("mask_out", "mask_net", "masker_last_repeat", "clone"),
    "mama_loss": ("si_sdr", "l1"),
    "schedule": ("plateau", "noam"),
    "sample_rate": (8000, 16000),
}
# field -> (lowest, highest), both allowed
_RANGES: dict[str, tuple[float, float]] = {
    "sources": (2, 5),
    "blocks": (1, 64),
    "repeats": (1, 64),
    "bottleneck": (4, 4096),
    "hidden": (1, 4096),
    "kernel": (2, 4096),
    "chunk": (4, 4096),
    "pretraining_steps": (1, 10_000_000),
    "pretraining_stretch": (1, 10_000_000),
    "pretraining_batch": (1, 4096),
    "pretraining_crop_seconds": (0.1, 60.0),
    "pretraining_lr": (1e-7, 1.0),
    "noise_snr_low": (-60.0, 60.0),
    "noise_snr_high": (-60.0, 60.0),
    "mask_ratio": (0.01, 0.9),
    "span_ms": (1.0, 10_000.0),
    "mask_noise_p": (0.0, 1.0),
    "cc_temperature": (1e-3, 10.0),
    "cc_negatives": (1, 10_000),
    "cc_mask_p": (1e-3, 0.9),
    "mtl_weight": (0.0, 100.0),
    "mtl_ratio": (0.0, 100.0),
    "k0": (0.0, 1.0),
    "k_end": (0.01, 1.0),
    "lr": (1e-7, 1.0),
    "weight_decay": (0.0, 1.0),
    "clip": (1e-6, 1e6),
    "plateau_patience": (1, 1_000_000),
    "plateau_factor": (0.01, 1.0),
    "noam_scale": (1e-6, 1e3),
    "warmup_share": (0.0, 0.9),
    "lr_floor": (0.0, 1.0),
    "observed_mixtures": (0, 1_000_000),
    "observed_seconds": (0.1, 600.0),
}
_WHOLE_NUMBERS = (
    *("sources", "blocks", "repeats", "bottleneck", "hidden", "kernel", "chunk", "pretraining_steps"),
    *("pretraining_stretch", "pretraining_batch", "cc_negatives", "plateau_patience", "observed_mixtures"),
)
_ARCHITECTURE_FIELDS = ("blocks", "repeats", "bottleneck", "hidden", "kernel", "chunk")
_OPTIONAL = (
    *_ARCHITECTURE_FIELDS,
    "clip",
    "plateau_patience",
)  # None: the size's own; no clipping; no plateau
_RULES = FieldRules(
    method="separation",
    choices=_CHOICES,
    ranges=_RANGES,
    whole_numbers=_WHOLE_NUMBERS,
    optional=_OPTIONAL,
    lists={"norm_blocks": "blocks"},
)

# What each group of fields does its work in; elsewhere the effective configuration holds their defaults.
_PRETRAINING_FIELDS = (
    *("pretraining_steps", "pretraining_stretch", "pretraining_batch", "pretraining_crop_seconds"),
    *("pretraining_lr", "reinit", "checkpoint", "norm_blocks"),
)
_MAMA_FIELDS = ("mask_ratio", "span_ms", "mama_loss", "mask_noise_p")
_CC_FIELDS = ("cc_temperature", "cc_negatives", "cc_mask_p")
_NOISE_FIELDS = ("noise_snr_low", "noise_snr_high")
_MULTITASK_FIELDS = ("mtl_weight", "mtl_ratio")
_STRENGTH_FIELDS = ("k0", "k_end")


@dataclass(frozen=True, kw_only=True)
class SeparationConfig(MethodConfig):
    """One way to train a separator.

    Build it with `from_dict`, which validates and reduces it to its effective settings: two configurations
    that train the same network in the same way are equal.
    """

    model: str = "convtasnet"
    size: str = "tiny"  # "tiny" for a CPU; "paper" is the published architecture
    blocks: int | None = None  # these override the size's own; see architectures.py
    repeats: int | None = None
    bottleneck: int | None = None
    hidden: int | None = None
    kernel: int | None = None  # the encoder's; its stride is half of it
    chunk: int | None = None

    sources: int = 2
    sample_rate: int = 8000  # Hz

    strategy: str = "scratch"
    pretrain_task: str = "se"  # of ptft; multitask shares its updates with "se" or "mama"

    # Pre-training: one run per (model, task, data, seed), an artifact after every stretch.
    pretraining_steps: int = 400
    pretraining_stretch: int = 200
    pretraining_batch: int = 8
    pretraining_crop_seconds: float = 1.0
    pretraining_lr: float = 1e-3
    noise_snr_low: float = -5.0  # dB, of one voice in noise
    noise_snr_high: float = 10.0
    checkpoint: str | None = None  # a file in asteroid's format, in place of our own pre-training
    reinit: str = (
        "mask_out"  # which layers start afresh; "clone": the pre-trained output layer for each source
    )

    # MAMA: masked reconstruction of clean speech from noisy.
    mask_ratio: float = 0.15  # share of the samples
    span_ms: float = 70.0
    mama_loss: str = "si_sdr"
    mask_noise_p: float = 0.15  # probability of Gaussian noise at 0.2 of the item's RMS

    # CC: contrastive identification of masked encoder features.
    cc_temperature: float = 0.1
    cc_negatives: int = 100
    cc_mask_p: float = 0.065  # of a 20 ms step to begin a masked span of 10

    # Multi-task: enhancement batches beside every separation batch, each an update of its own.
    mtl_weight: float = 1.0
    mtl_ratio: float = 1.0  # enhancement batches per separation batch; LibriMix's natural one is 3.7

    # Feature normalization: mixtures' features pulled to single voices', at the inputs of these blocks.
    norm_blocks: tuple[int, ...] = ()  # from 1; empty = off
    k0: float = 0.5
    k_end: float = 0.9  # share of the budget after which k = 0

    # Optimizer: Adam.
    lr: float = 1e-3
    weight_decay: float = 0.0
    clip: float | None = 5.0  # norm of the gradient
    schedule: str = "plateau"  # "noam" (DPTNet): 4000 steps of warm-up, then 4e-4 x 0.98^((epoch-1)//2)
    plateau_patience: int | None = 5  # rounds without a better validation score
    plateau_factor: float = 0.5
    noam_scale: float = 0.2
    warmup_share: float = 0.0
    lr_floor: float = 1.0

    # Label-assignment switches are watched on this many fixed training mixtures, after every round.
    observed_mixtures: int = 100
    observed_seconds: float = 4.0

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "SeparationConfig":
        """Validate and reduce to effective settings.

        Raises:
            UserError: naming the field, its value and what is allowed.
        """
        _RULES.refuse_unknown(values, SeparationConfig)
        plain = dict(values)
        if "norm_blocks" in plain:
            plain["norm_blocks"] = _RULES.distinct("norm_blocks", plain["norm_blocks"])
        config = SeparationConfig(**plain)
        config._check_fields()
        config._check_together()
        return config._effective()

    def data_settings(self, data: DataSettings) -> DataSettings:
        """How this trial's examples are drawn: mixtures of its number of speakers, at its rate."""
        return replace(data, speakers=self.sources, sample_rate=self.sample_rate)

    @property
    def outputs(self) -> int:
        """Outputs of the trained network: the sources, and with multi-task training one enhanced voice."""
        return self.sources + (self.strategy == "multitask")

    @property
    def architecture(self) -> dict[str, int]:
        """The size's arguments with what is overridden."""
        chosen = {name: getattr(self, name) for name in _ARCHITECTURE_FIELDS}
        given = {name: value for name, value in chosen.items() if value is not None}
        return {**ARCHITECTURES[self.model][self.size], **given}

    # -- stages ---------------------------------------------------------------------------------------

    def stages(
        self, corpus_uri: str, corpus_fingerprint: str, seed: int, threads: int = 1, device: str = "cpu"
    ) -> tuple[Stage, ...]:
        """The pre-training this trial reads, shared by every trial with the same model, task and seed.

        It is a chain of stretches, each continuing the one before: whoever wants fewer steps reads an
        earlier link of the same chain.
        """
        if self.strategy != "ptft":
            return ()
        place: dict[str, Any] = {
            "corpus_uri": corpus_uri,
            "corpus_fingerprint": corpus_fingerprint,
            "threads": threads,
            "device": device,
        }
        if self.checkpoint is not None:
            return (self._imported(place),)
        below: tuple[Stage, ...] = ()
        for steps in self._stretches():
            what = f"{self.model} ({self.size}) {self.pretrain_task} pre-training"
            stage = Stage(
                kind="pretraining",
                name=f"{what}, {steps} steps, seed {seed}",
                runner="separation_pretraining",
                version=PRETRAINING_VERSION,
                config={**self.pretraining_config(), "pretraining_steps": steps},
                seed=seed,
                rests_on=below,
                **place,
            )
            below = (stage,)
        return below

    def pretraining_config(self) -> dict[str, Any]:
        """The fields that determine the pre-trained network, apart from the number of steps."""
        task_fields = {"se": (), "mama": _MAMA_FIELDS, "cc": _CC_FIELDS}[self.pretrain_task]
        names = ("pretraining_batch", "pretraining_crop_seconds", "pretraining_lr", "sample_rate")
        values = {name: getattr(self, name) for name in (*names, *_NOISE_FIELDS, *task_fields)}
        network = {"model": self.model, "size": self.size, **self.architecture_overrides()}
        return {**network, **values, "pretrain_task": self.pretrain_task, "strategy": "ptft"}

    def architecture_overrides(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in _ARCHITECTURE_FIELDS}

    def _stretches(self) -> list[int]:
        """Steps after each stretch; the last is `pretraining_steps`."""
        return [
            *range(self.pretraining_stretch, self.pretraining_steps, self.pretraining_stretch),
            self.pretraining_steps,
        ]

    def _imported(self, place: dict[str, Any]) -> Stage:
        assert self.checkpoint is not None
        path = Path(self.checkpoint)
        if not path.is_file():
            raise _RULES.refusal("checkpoint", self.checkpoint, "a file in asteroid's format on this machine")
        network = {"model": self.model, "size": self.size, **self.architecture_overrides()}
        return Stage(
            kind="pretraining",
            name=f"{self.model} weights of {path.name}",
            runner="separation_published_weights",
            version=PRETRAINING_VERSION,
            config={**network, "checkpoint": self.checkpoint, "sha256": content_digest(path)},
            seed=0,
            **place,
        )

    @staticmethod
    def allowed_values() -> dict[str, str]:
        """What each field may be, in words."""
        return _RULES.in_words()

    # -- validation ---------------------------------------------------------------------------------

    def _check_fields(self) -> None:
        _RULES.check(self)
        if self.checkpoint is not None and not Path(str(self.checkpoint)).is_absolute():
            raise _RULES.refusal("checkpoint", self.checkpoint, "an absolute path, or null")

    def _check_together(self) -> None:
        known = ARCHITECTURES[self.model][self.size]
        for name in _ARCHITECTURE_FIELDS:
            if getattr(self, name) is not None and name not in known:
                raise _RULES.refusal(name, getattr(self, name), f"only null with model={self.model!r}")
        for name in ("kernel", "chunk"):
            if (self.architecture.get(name) or 2) % 2:
                raise _RULES.refusal(
                    name, self.architecture[name], "an even number: its stride is half of it"
                )
        if self.noise_snr_low > self.noise_snr_high:
            raise _RULES.refusal("noise_snr_low", self.noise_snr_low, "at most noise_snr_high")
        if self.strategy == "multitask" and self.pretrain_task == "cc":
            raise _RULES.refusal(
                "pretrain_task", "cc", "se or mama with strategy='multitask': cc has no output"
            )
        self._check_normalization()

    def _check_normalization(self) -> None:
        if not self.norm_blocks:
            return
        if self.strategy != "ptft":
            raise _RULES.refusal(
                "norm_blocks",
                list(self.norm_blocks),
                "nothing without strategy='ptft': an untrained network's features carry no target",
            )
        deepest = self.architecture["blocks"] * self.architecture.get("repeats", 1)
        for block in self.norm_blocks:
            if not 1 <= block <= deepest:
                raise _RULES.refusal("norm_blocks", list(self.norm_blocks), f"blocks 1 to {deepest}")

    def _effective(self) -> "SeparationConfig":
        """Fields without effect go back to their defaults."""
        learns_a_task = self.strategy != "scratch"
        idle: list[str] = []
        idle += [] if self.strategy == "ptft" else _PRETRAINING_FIELDS
        idle += [] if self.strategy == "multitask" else _MULTITASK_FIELDS
        idle += [] if learns_a_task else ("pretrain_task", *_NOISE_FIELDS)
        idle += [] if learns_a_task and self.pretrain_task == "mama" else _MAMA_FIELDS
        idle += [] if learns_a_task and self.pretrain_task == "cc" else _CC_FIELDS
        idle += [] if self.norm_blocks else _STRENGTH_FIELDS
        idle += [] if self.schedule == "noam" else ("noam_scale",)
        idle += [] if self.schedule == "plateau" else ("plateau_patience", "plateau_factor")
        return replace(self, **{name: _DEFAULTS[name] for name in idle})


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(SeparationConfig)}
