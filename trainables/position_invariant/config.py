"""Everything that defines one trial of position-invariant fine-tuning, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py. Defaults are
those of the paper as far as they are known and of its authors' earlier public code (docs/position_invariant.md).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from trainables.base.errors import UserError
from trainables.base.published import source
from trainables.base.published.files import require_reachable
from trainables.config.fields import choice, flag, number, positions, text, whole
from trainables.config.method_config import MethodConfig
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace
from trainables.losses.soft_dtw_band import require_band
from trainables.ssl.description import SSLModel
from trainables.ssl.published_weights.source import resolve
from trainables.ssl.stages import body_stage, require_weights
from trainables.ssl.upstream_table import UPSTREAM_TABLE

# Bump when a change of code changes what pre-training produces (front_end_pretraining.py).
FRONT_END_VERSION = 1

UPSTREAMS = tuple(name for name, each in UPSTREAM_TABLE.items() if not (each.spectral or each.pre_norm))
VARIANTS = ("none", "mse", "mse_pad", "softdtw", "mse_speed_interp")
TRANSFORMER_LAYERS = {"tiny": 3, "base": 12}
SLOWEST, FASTEST = 0.5, 2.0  # as trainables/audio/speed.py takes them
SAMPLE_RATE = 16_000  # Hz
RECEPTIVE_FIELD = 400  # samples of one frame
FRAME_HOP = 320  # samples between two frames
# Of the reference's last layer, on test estimates.
MEASURES = ("ssl_distance", "ssl_cosine", "shift_excess", "shift_floor", "speed_error", "shortcut_index")
WITHOUT_L2NORM = 100.0  # by how much gamma grows where frames are not of unit length

_FRONT_LR = {"tiny": 3e-3, "base": 3e-4}

_PAD_FIELDS = ("pad_side", "pad_min", "pad_max", "guard", "padded_branch")
_SPEED_FIELDS = ("speed_low", "speed_high", "speed_step", "speed_branch", "pitch_semitones", "swap_branches")
_DTW_FIELDS = ("gamma", "divergence", "band")
_TRAINING_FIELDS = ("lr", "weight_decay", "lambda_sisdr", "lav_weight", "lav_margin", "l2norm")


@dataclass(frozen=True, kw_only=True)
class PositionInvariantConfig(MethodConfig):
    """One way to fine-tune an enhancement front-end through a frozen self-supervised model."""

    METHOD = "position_invariant"

    front_end: str = choice(
        "demucs", of=("demucs", "conv_tasnet"), section="Front-end", help="The network that is fine-tuned."
    )
    size: str = choice(
        "tiny", of=("tiny", "base"), help="Of front-end and upstream: base is published, tiny is for a CPU."
    )
    hidden: int = choice(64, of=(48, 64), unit="channels", help="First layer of DEMUCS at base size.")
    front_checkpoint: str | None = text(
        what="a hub id of one file, a path or s3://...",
        place=lambda given, folder: source.located(given, folder, "front_checkpoint"),
        help="Weights of the front-end in its authors' or asteroid's format; null = pre-trained here.",
    )
    front_steps: int = whole(2000, (1, 10_000_000), unit="steps", help="Its pre-training on enhancement.")
    front_lr: float | None = number(
        None, (1e-7, 1.0), help="Peak learning rate of that pre-training; null = 3e-3 at tiny, 3e-4 at base size."
    )

    upstream: str = choice("hubert", of=UPSTREAMS, section="Reference", help="The frozen self-supervised model.")
    checkpoint: str | None = text(
        what="a hub id, a path or s3://...",
        place=source.located,
        help="Its published weights at base size ({upstream} is filled in); null = the published ones.",
    )
    pretraining_steps: int = whole(500, (1, 10_000_000), unit="steps", help="Pre-training of a tiny upstream.")
    layers: tuple[int, ...] = positions(
        unit="layers",
        empty="the last alone",
        help="Transformer layers whose features are compared, with equal weights; [] = the last alone.",
    )
    planted_position: float = number(
        0.0,
        (0.0, 10.0),
        unit="deviations of the features",
        help="A control: strength of a fixed vector per frame index inside the reference; 0 = none.",
    )

    variant: str = choice(
        "softdtw", of=VARIANTS, section="Loss", help="none leaves the front-end as it was pre-trained."
    )
    l2norm: str | None = choice(
        None, of=("on", "off", None), help="Frames scaled to unit length; null = on for softdtw alone."
    )
    pad_side: str = choice("split", of=("split", "left", "right"), help="mse_pad: where zeros go.")
    pad_min: float = number(0.02, (0.0, 0.5), unit="share of the clip", help="mse_pad: fewest zeros.")
    pad_max: float = number(0.05, (0.0, 0.5), unit="share of the clip", help="mse_pad: most zeros.")
    guard: int = whole(1, (0, 10), unit="frames", help="mse_pad: left out next to the zeros.")
    padded_branch: str = choice("clean", of=("clean", "enhanced"), help="mse_pad: what is padded.")
    speed_low: float = number(0.8, (SLOWEST, FASTEST), help="softdtw and mse_speed_interp: slowest.")
    speed_high: float = number(1.2, (SLOWEST, FASTEST), help="softdtw and mse_speed_interp: fastest.")
    speed_step: float | None = number(
        0.05, (0.01, 1.0), optional=True, help="Distance of the speeds that are drawn; null = any hundredth."
    )
    speed_branch: str = choice(
        "clean", of=("clean", "noisy"), help="Whose speech changes speed; of noisy, before the noise."
    )
    pitch_semitones: float = number(
        0.0, (0.0, 12.0), unit="semitones", help="The wave of another speed is shifted up or down by these, too."
    )
    swap_branches: bool = flag(False, help="In half of the steps the enhanced wave changes in the clean one's place.")
    gamma: float = number(
        0.1, (1e-3, 10.0), help=f"softdtw: softness for frames of unit length, {WITHOUT_L2NORM:g} times it for others."
    )
    divergence: bool = flag(True, help="softdtw: less half of each sequence's distance to itself.")
    band: float | None = number(
        None, (1e-4, 1.0), unit="share of the length", help="softdtw: half width of a band; null = none."
    )
    lambda_sisdr: float = number(0.0, (0.0, 100.0), unit="per dB", help="Weight of the negative SI-SDR.")
    lav_weight: float = number(0.0, (0.0, 100.0), help="Weight of LASER's temporal contrastive term.")
    lav_margin: float = number(1.1, (0.0, 4.0), help="Its margin; WavLM's is 1.0.")

    # Linear warm-up, then linear decay to `lr_floor` of the peak.
    lr: float = number(2e-5, (1e-8, 1.0), section="Optimizer: AdamW", help="Peak learning rate.")
    weight_decay: float = number(0.01, (0.0, 1.0), help="Decay of the weights.")
    warmup_share: float = number(0.28, (0.0, 0.9), unit="share of the budget", help="Linear warm-up.")
    lr_floor: float = number(0.0, (0.0, 1.0), unit="share of the peak", help="End of the linear decay.")
    clip: float = number(1.0, (1e-6, 1e6), help="Largest norm of the gradient.")

    representation_pairs: int = whole(
        4,
        (0, 10_000),
        unit="utterances",
        section="Measurements",
        help="Validation pairs behind the curves of the representation, once a round; 0 = no curves.",
    )

    def stages(self, seed: int, **place: Unpack[StagePlace]) -> tuple[Stage, ...]:
        """The front-end and the reference; the same for every variant, layer and rate."""
        return (self._front_end_stage(seed, place), body_stage(self.ssl, seed, **place))

    def _front_end_stage(self, seed: int, place: StagePlace) -> Stage:
        if self.front_checkpoint is None:
            return Stage(
                kind="front_end",
                name=f"{self.front_end} ({self.size}) enhancement pre-training, seed {seed}",
                runner="position_front_end",
                version=FRONT_END_VERSION,
                config={
                    **self.front_end_fields(),
                    "pretraining_steps": self.front_steps,
                    "front_lr": _FRONT_LR[self.size] if self.front_lr is None else self.front_lr,
                },
                seed=seed,
                pretrains=True,
                **place,
            )
        return Stage(
            kind="front_end",
            name=f"{self.front_end} ({self.size}) checkpoint",
            runner="position_front_end_weights",
            version=FRONT_END_VERSION,
            config={
                **self.front_end_fields(),
                "checkpoint": self.front_checkpoint,
                "identity": source.identity(self.front_checkpoint),
            },
            seed=0,
            corpus_uri="",
            corpus_fingerprint="",
        )

    def front_end_fields(self) -> dict[str, Any]:
        """The fields that determine the network."""
        return {"front_end": self.front_end, "size": self.size, "hidden": self.hidden}

    def require_inputs(self) -> None:
        require_weights(self.ssl)
        if self.front_checkpoint is not None:
            require_reachable(self.front_checkpoint)

    def data_settings(self, data: DataSettings) -> DataSettings:
        """The plan's own.

        Raises:
            UserError: a crop at some speed is shorter than one frame of the reference, or the band leaves no path.
        """
        crop = round(data.crop_seconds * SAMPLE_RATE)
        hundredths = [round(100 * speed) for speed in self._possible_speeds()] if self.changes_speed else []
        changed = [-(-crop * 100 // each) for each in hundredths]  # as trainables/audio/speed.py rounds them
        if min([crop, *changed]) < RECEPTIVE_FIELD:
            fastest = max([100, *hundredths]) / 100
            shortest = fastest * RECEPTIVE_FIELD / SAMPLE_RATE
            raise UserError(
                f"crop_seconds={data.crop_seconds:g}: {self.upstream} needs {RECEPTIVE_FIELD} samples, {shortest:g} s "
                f"at speed {fastest:g}; give longer crops"
            )
        if self.variant == "softdtw" and self.band is not None:
            for samples in (crop, *changed):
                require_band(self.band, frames_of(crop), frames_of(samples))
        return data

    @property
    def changes_speed(self) -> bool:
        return self.variant in ("softdtw", "mse_speed_interp")

    @property
    def ssl(self) -> SSLModel:
        """The whole upstream: measurements read every layer, whichever the loss compares."""
        return SSLModel(
            upstream=self.upstream,
            size=self.size,
            checkpoint=self.checkpoint,
            pretraining_steps=self.pretraining_steps,
            layers=TRANSFORMER_LAYERS[self.size],
        )

    @property
    def compared_layers(self) -> tuple[int, ...]:
        """`layers`, resolved."""
        return self.layers or (TRANSFORMER_LAYERS[self.size],)

    @property
    def normalizes(self) -> bool:
        """`l2norm`, resolved."""
        return self.variant == "softdtw" if self.l2norm is None else self.l2norm == "on"

    @property
    def softness(self) -> float:
        """gamma in the unit of the cost: squared distances of raw frames are in the tens to hundreds."""
        return self.gamma if self.normalizes else WITHOUT_L2NORM * self.gamma

    @property
    def speeds(self) -> tuple[float, ...] | None:
        """The speeds that are drawn, hundredths; None = any between the ends."""
        if self.speed_step is None:
            return None
        count = int((self.speed_high - self.speed_low) / self.speed_step + 1e-6) + 1
        return tuple(round(self.speed_low + number * self.speed_step, 2) for number in range(count))

    def _possible_speeds(self) -> Sequence[float]:
        if self.speeds is not None:
            return self.speeds
        return [each / 100 for each in range(round(100 * self.speed_low), round(100 * self.speed_high) + 1)]

    # -- validation ---------------------------------------------------------------------------------

    def check_together(self) -> None:
        deepest = TRANSFORMER_LAYERS[self.size]
        if any(not 1 <= layer <= deepest for layer in self.layers):
            allowed = f"transformer layers 1 to {deepest} of {self.upstream} at {self.size} size"
            raise self.refusal("layers", list(self.layers), allowed)
        if self.size == "tiny" and self.checkpoint is not None:
            raise self.refusal("checkpoint", self.checkpoint, "only null with size='tiny', which is pre-trained here")
        if self.checkpoint is not None:
            resolve(self.upstream, self.checkpoint)
        if self.front_checkpoint is not None:
            self._check_front_checkpoint(self.front_checkpoint)
        if self.pad_min > self.pad_max:
            raise self.refusal("pad_min", self.pad_min, "at most pad_max")
        if self.speed_low > self.speed_high:
            raise self.refusal("speed_low", self.speed_low, "at most speed_high")
        for name in ("speed_low", "speed_high", "speed_step"):
            value = getattr(self, name)
            if value is not None and abs(100 * value - round(100 * value)) > 1e-6:
                raise self.refusal(name, value, "whole hundredths")
        if self.speeds is not None and len(self.speeds) == 1 and self.speed_low < self.speed_high:
            raise self.refusal("speed_step", self.speed_step, "at most speed_high - speed_low")

    def _check_front_checkpoint(self, given: str) -> None:
        known = source.require_known_form(given, "front_checkpoint")
        in_one_file = given.endswith(source.FILE_ENDINGS) if given.startswith("s3://") else None
        if in_one_file is None:
            in_one_file = source.is_local(known) or source.hub_source(known).file is not None
        if not in_one_file:
            endings = ", ".join(source.FILE_ENDINGS)
            raise self.refusal("front_checkpoint", given, f"one file: owner/name:file, a path, or s3://... ({endings})")

    def idle(self) -> Collection[str]:
        return {name for names, used in self._conditions() if not used for name in names}

    def _conditions(self) -> tuple[tuple[tuple[str, ...], bool], ...]:
        """Fields, and whether they do anything here."""
        base_demucs = self.size == "base" and self.front_end == "demucs"
        pretrained_here = self.front_checkpoint is None
        return (
            (("hidden",), base_demucs),
            (("front_steps", "front_lr"), pretrained_here),
            (("pretraining_steps",), self.size == "tiny"),
            (("layers", "planted_position", *_TRAINING_FIELDS), self.variant != "none"),
            (_PAD_FIELDS, self.variant == "mse_pad"),
            (_SPEED_FIELDS, self.changes_speed),
            (_DTW_FIELDS, self.variant == "softdtw"),
            (("lav_margin",), self.lav_weight > 0),
        )


def measure_names(layers: int) -> tuple[str, ...]:
    """Every measure of estimates by a reference with that many transformer layers (measuring.py)."""
    by_layer = (f"{name}_{layer}" for name in ("ssl_distance", "ssl_cosine") for layer in range(1, layers + 1))
    return (*MEASURES, *by_layer)


def frames_of(samples: int) -> int:
    """Frames of the reference for that many samples, the same for all upstreams here."""
    return (samples - RECEPTIVE_FIELD) // FRAME_HOP + 1
