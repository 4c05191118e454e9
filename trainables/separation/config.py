"""Everything that defines one separation trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from trainables.base.paths import absolute
from trainables.base.weights_file import content_digest, require_here
from trainables.config.fields import choice, number, positions, text, whole
from trainables.config.method_config import MethodConfig
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace
from trainables.separation.architectures import ARCHITECTURES, MODELS, SIZES
from trainables.separation.label_phases import (
    PHASES,
    counts_voices,
    keeps_labels,
    phase_starts,
    starts_anew,
)
from trainables.separation.label_phases import STRATEGIES as LABEL_STRATEGIES

# Bump when a change of code changes what pre-training produces (trainables/separation/pretraining.py).
PRETRAINING_VERSION = 2

STRATEGIES = ("scratch", "ptft", "multitask")
TASKS = ("se", "mama", "cc")
_ARCHITECTURE_FIELDS = ("blocks", "repeats", "bottleneck", "hidden", "kernel", "chunk")

# Fields of one strategy or task; they are reset to their defaults where they have no effect.
_PRETRAINING_FIELDS = (
    *("pretraining_steps", "pretraining_stretch", "pretraining_batch", "pretraining_crop_seconds"),
    *("pretraining_lr", "reinit", "checkpoint", "norm_blocks"),
)
_MAMA_FIELDS = ("mask_ratio", "span_ms", "mama_loss", "mask_noise_p")
_CC_FIELDS = ("cc_temperature", "cc_negatives", "cc_mask_p")
_NOISE_FIELDS = ("noise_snr_low", "noise_snr_high")
_MULTITASK_FIELDS = ("mtl_weight", "mtl_ratio")
_STRENGTH_FIELDS = ("k0", "k_end")
_TEMPERATURE_FIELDS = ("temperature", "temperature_end", "temperature_share")


@dataclass(frozen=True, kw_only=True)
class SeparationConfig(MethodConfig):
    """One way to train a separator."""

    METHOD = "separation"

    # What overrides the size's own arguments; see architectures.py.
    model: str = choice("convtasnet", of=MODELS, section="Network", help="The separator.")
    size: str = choice("tiny", of=SIZES, help="paper is published, tiny is for a CPU, original is DPTNet's own.")
    blocks: int | None = whole(None, (1, 64), unit="blocks", help="In each repeat, or in all; null = the size's own.")
    repeats: int | None = whole(None, (1, 64), unit="repeats", help="Of the stack of blocks; null = the size's own.")
    bottleneck: int | None = whole(
        None, (4, 4096), unit="channels", help="Width between blocks; null = the size's own."
    )
    hidden: int | None = whole(None, (1, 4096), unit="channels", help="Width within a block; null = the size's own.")
    kernel: int | None = whole(None, (2, 4096), unit="samples", help="Encoder kernel, even; null = the size's own.")
    chunk: int | None = whole(None, (4, 4096), unit="frames", help="Dual-path chunk, even; null = the size's own.")

    sources: int = whole(2, (2, 5), unit="voices", section="Task", help="Voices in a mixture.")
    sample_rate: int = choice(8000, of=(8000, 16000), unit="Hz", help="Sample rate of the mixtures.")
    strategy: str = choice(
        "scratch", of=STRATEGIES, help="ptft: pre-training, then fine-tuning; multitask: both at once."
    )
    pretrain_task: str = choice("se", of=TASKS, help="Pre-training task; multitask takes se or mama.")

    pit: str = choice(
        "hard",
        of=("hard", "soft"),
        section="Assignment of outputs to voices",
        help="hard: the best assignment; soft: a soft minimum over all (probabilistic PIT).",
    )
    temperature: float = number(
        1.0, (0.01, 100.0), unit="dB", help="Of the soft minimum; towards 0 it is pit=hard, towards 100 a mean."
    )
    temperature_end: float | None = number(
        None, (1e-3, 100.0), unit="dB", help="Where a falling temperature ends, then pit=hard; null = it is constant."
    )
    temperature_share: float = number(
        0.5, (0.01, 1.0), unit="share of the budget", help="When a falling temperature reaches its end."
    )

    label_strategy: str = choice(
        "pit",
        of=LABEL_STRATEGIES,
        help="Which assignments training follows, phase by phase; fixed is interrupted PIT, cascade cascaded PIT.",
    )
    pool_mixtures: int | None = whole(
        None,
        (1, 1_000_000),
        optional=True,
        unit="mixtures",
        help="Size of the fixed set that training draws from; null = every mixture is new.",
    )

    # One run per (model, task, data, seed), an artifact after every stretch.
    pretraining_steps: int = whole(
        400, (1, 10_000_000), unit="steps", section="Pre-training", help="Length of pre-training."
    )
    pretraining_stretch: int = whole(200, (1, 10_000_000), unit="steps", help="Distance between kept weights.")
    pretraining_batch: int = whole(8, (1, 4096), unit="crops", help="Batch size.")
    pretraining_crop_seconds: float = number(1.0, (0.1, 60.0), unit="s", help="Length of a crop.")
    pretraining_lr: float = number(1e-3, (1e-7, 1.0), help="Constant learning rate.")
    noise_snr_low: float = number(-5.0, (-60.0, 60.0), unit="dB", help="Lowest SNR of a voice in noise.")
    noise_snr_high: float = number(10.0, (-60.0, 60.0), unit="dB", help="Highest SNR of a voice in noise.")
    checkpoint: str | None = text(
        what="an absolute path",
        holds=lambda path: Path(path).is_absolute(),
        place=lambda path, folder: str(absolute(path, folder)),
        help="A file in asteroid's format to start from; null = our own pre-training.",
    )
    reinit: str = choice(
        "mask_out",
        of=("mask_out", "mask_net", "masker_last_repeat", "clone"),
        help="Layers that start afresh; clone repeats the output layer for each source.",
    )

    mask_ratio: float = number(
        0.15,
        (0.01, 0.9),
        unit="share of the samples",
        section="MAMA: masked reconstruction of clean speech from noisy",
        help="How much of the input is masked.",
    )
    span_ms: float = number(70.0, (1.0, 10_000.0), unit="ms", help="Length of a masked span.")
    mama_loss: str = choice("si_sdr", of=("si_sdr", "l1"), help="Loss of the reconstruction.")
    mask_noise_p: float = number(0.15, (0.0, 1.0), unit="probability", help="Chance of noise at 0.2 of a crop's RMS.")

    cc_temperature: float = number(
        0.1,
        (1e-3, 10.0),
        section="CC: contrastive identification of masked encoder features",
        help="Divides the cosine similarities.",
    )
    cc_negatives: int = whole(100, (1, 10_000), unit="steps", help="Negatives of each masked step.")
    cc_mask_p: float = number(
        0.065, (1e-3, 0.9), unit="probability", help="Chance of each 20 ms step to begin a span of 10."
    )

    mtl_weight: float = number(
        1.0,
        (0.0, 100.0),
        section="Multi-task: enhancement batches between separation batches",
        help="Weight of the enhancement loss.",
    )
    mtl_ratio: float = number(
        1.0,
        (0.0, 100.0),
        unit="batches per separation batch",
        help="Enhancement batches; LibriMix's natural ratio is 3.7.",
    )

    norm_blocks: tuple[int, ...] = positions(
        unit="blocks",
        section="Feature normalization",
        help="Blocks whose input is normalized to the statistics of single voices.",
    )
    k0: float = number(0.5, (0.0, 1.0), help="Initial strength of normalization.")
    k_end: float = number(0.9, (0.01, 1.0), unit="share of the budget", help="When the strength reaches 0.")

    lr: float = number(1e-3, (1e-7, 1.0), section="Optimizer: Adam", help="Peak learning rate; 1e-3 is noam's own.")
    weight_decay: float = number(0.0, (0.0, 1.0), help="Decay of the weights.")
    clip: float | None = number(
        5.0, (1e-6, 1e6), optional=True, help="Largest norm of the gradient; null = no clipping."
    )
    schedule: str = choice("plateau", of=("plateau", "noam"), help="Of the rate; noam is DPTNet's own.")
    plateau_patience: int | None = whole(
        5,
        (1, 1_000_000),
        optional=True,
        unit="rounds",
        help="Rounds without a better score before the rate falls; null = never.",
    )
    plateau_factor: float = number(0.5, (0.01, 1.0), help="Factor of the rate at a plateau.")
    noam_scale: float = number(0.2, (1e-6, 1e3), help="Factor of noam's warm-up.")
    warmup_share: float = number(0.0, (0.0, 0.9), unit="share of the budget", help="Linear warm-up.")
    lr_floor: float = number(1.0, (0.0, 1.0), unit="share of the peak", help="End of the cosine decay.")

    observed_mixtures: int = whole(
        100,
        (0, 1_000_000),
        unit="mixtures",
        section="Label switches",
        help="Fixed training mixtures checked after each round.",
    )
    observed_seconds: float = number(
        4.0, (0.1, 600.0), unit="s", help="Length of each such mixture, and of those whose labels are kept."
    )

    def data_settings(self, data: DataSettings) -> DataSettings:
        """How this trial's examples are drawn: mixtures of its number of speakers, at its rate."""
        return replace(data, speakers=self.sources, sample_rate=self.sample_rate)

    @property
    def trains_on_pretraining_corpus(self) -> bool:
        """The enhancement batches of multi-task training are those that pre-training would see."""
        return self.strategy == "multitask"

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

    def stages(self, seed: int, **place: Unpack[StagePlace]) -> tuple[Stage, ...]:
        """The pre-training this trial reads, shared by every trial with the same model, task and seed.

        It is a chain of stretches, each continuing the one before: fewer steps are an earlier link of the same chain.
        """
        if self.strategy != "ptft":
            return ()
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
                pretrains=True,
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

    def _imported(self, place: StagePlace) -> Stage:
        assert self.checkpoint is not None
        path = require_here(Path(self.checkpoint))
        if not path.is_file():
            raise self.refusal("checkpoint", self.checkpoint, "a file in asteroid's format on this machine")
        network = {"model": self.model, "size": self.size, **self.architecture_overrides()}
        return Stage(
            kind="pretraining",
            name=f"{self.model} weights of {path.name}",
            runner="separation_published_weights",
            version=PRETRAINING_VERSION,
            config={
                **network,
                "sample_rate": self.sample_rate,
                "checkpoint": self.checkpoint,
                "sha256": content_digest(path),
            },
            seed=0,
            **place,
        )

    # -- validation ---------------------------------------------------------------------------------

    def check_together(self) -> None:
        sizes = ARCHITECTURES[self.model]
        if self.size not in sizes:
            raise self.refusal("size", self.size, f"{' or '.join(sizes)} with model={self.model!r}")
        if self.checkpoint is not None:
            for name, foreign in (("size", "original"), ("model", "sandglasset")):
                if getattr(self, name) == foreign:
                    raise self.refusal(
                        "checkpoint", self.checkpoint, f"only null with {name}={foreign!r}: not asteroid's"
                    )
        known = sizes[self.size]
        for name in _ARCHITECTURE_FIELDS:
            if getattr(self, name) is not None and name not in known:
                raise self.refusal(name, getattr(self, name), f"only null with model={self.model!r}")
        for name in ("kernel", "chunk"):
            if (self.architecture.get(name) or 2) % 2:
                raise self.refusal(name, self.architecture[name], "an even number: its stride is half of it")
        if self.model == "sandglasset":
            self._check_granularity()
        if self.pit == "soft" and self.temperature_end is not None and self.temperature_end >= self.temperature:
            raise self.refusal(
                "temperature_end", self.temperature_end, f"below temperature={self.temperature}, or null"
            )
        self._check_labels()
        if self.noise_snr_low > self.noise_snr_high:
            raise self.refusal("noise_snr_low", self.noise_snr_low, "at most noise_snr_high")
        if self.strategy == "multitask" and self.pretrain_task == "cc":
            raise self.refusal("pretrain_task", "cc", "se or mama with strategy='multitask': cc has no output")
        self._check_normalization()

    def _check_granularity(self) -> None:
        """Sandglasset's chunks divide by its coarsest granularity, its channels by the heads of its attention."""
        sizes = self.architecture
        coarsest = max(2, 4 ** ((sizes["blocks"] - 1) // 2))
        for name, divisor in (("chunk", coarsest), ("bottleneck", sizes["heads"])):
            if sizes[name] % divisor:
                where = f"model='sandglasset', size={self.size!r}, blocks={sizes['blocks']}"
                raise self.refusal(name, sizes[name], f"a multiple of {divisor} with {where}")

    def _check_labels(self) -> None:
        strategy = self.label_strategy
        if strategy != "pit" and self.pit == "soft":
            raise self.refusal("label_strategy", strategy, "only pit with pit='soft'")
        if self.pool_mixtures is None and (keeps_labels(strategy) or counts_voices(strategy)):
            raise self.refusal(
                "pool_mixtures", None, f"a number with label_strategy={strategy!r}, which remembers its mixtures"
            )

    def check_budget(self, steps: int, data: DataSettings) -> None:
        starts = phase_starts(self.label_strategy, steps)
        if len({start for start in starts if start < steps}) < len(starts):
            raise self.refusal(
                "label_strategy",
                self.label_strategy,
                f"with {steps} step{'s' * (steps != 1)} only strategies of one phase: give {len(starts)} steps or more",
            )
        if self.pool_mixtures is not None and self.pool_mixtures < data.batch:
            raise self.refusal(
                "pool_mixtures", self.pool_mixtures, f"null, or at least a batch, which has {data.batch} mixtures"
            )

    def _check_normalization(self) -> None:
        if not self.norm_blocks:
            return
        if starts_anew(self.label_strategy):
            raise self.refusal(
                "norm_blocks",
                list(self.norm_blocks),
                f"nothing with label_strategy={self.label_strategy!r}: its statistics are of one network only",
            )
        if self.strategy != "ptft":
            raise self.refusal(
                "norm_blocks",
                list(self.norm_blocks),
                "nothing without strategy='ptft': an untrained network's features carry no target",
            )
        deepest = self.architecture["blocks"] * self.architecture.get("repeats", 1)
        for block in self.norm_blocks:
            if not 1 <= block <= deepest:
                raise self.refusal("norm_blocks", list(self.norm_blocks), f"blocks 1 to {deepest}")

    def phase_switches(self) -> tuple[float, ...]:
        """Where a label strategy's phases begin, or where soft assignments end and the best ones begin."""
        falls = self.pit == "soft" and self.temperature_end is not None and self.temperature_share < 1.0
        phases = tuple(phase.start for phase in PHASES[self.label_strategy][1:])
        return (self.temperature_share,) if falls else phases

    def idle(self) -> Collection[str]:
        learns_a_task = self.strategy != "scratch"
        idle = [] if self.strategy == "ptft" else [*_PRETRAINING_FIELDS]
        if self.checkpoint is not None and self.strategy == "ptft":  # it takes the place of pre-training
            learns_a_task = False
            idle += [name for name in _PRETRAINING_FIELDS if name not in ("reinit", "checkpoint", "norm_blocks")]
        idle += [] if self.strategy == "multitask" else _MULTITASK_FIELDS
        idle += [] if learns_a_task else ("pretrain_task", *_NOISE_FIELDS)
        idle += [] if learns_a_task and self.pretrain_task == "mama" else _MAMA_FIELDS
        idle += [] if learns_a_task and self.pretrain_task == "cc" else _CC_FIELDS
        idle += [] if self.norm_blocks else _STRENGTH_FIELDS
        idle += [] if self.pit == "soft" else _TEMPERATURE_FIELDS
        idle += ["temperature_share"] if self.pit == "soft" and self.temperature_end is None else []
        idle += [] if self.schedule == "noam" else ("noam_scale",)
        idle += [] if self.schedule == "plateau" else ("plateau_patience", "plateau_factor")
        return idle
