"""Everything that defines one normalized-SSL trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from trainables.config.field_rules import FieldRules
from trainables.config.method_config import MethodConfig
from trainables.job.stages import Stage
from trainables.normalized_ssl.published_weights import source as checkpoint_source
from trainables.normalized_ssl.upstream_table import UPSTREAM_TABLE

# Bump when a change of code changes what pre-training produces (trainables/normalized_ssl/pretraining/pretraining.py).
PRETRAINING_VERSION = 5
# Bump when a change of code changes the units (trainables/normalized_ssl/pretraining/speech_units.py).
UNITS_VERSION = 2
# Bump when a change of code changes what is taken from a checkpoint (published_weights/reading.py).
CHECKPOINT_VERSION = 1
# Bump when a change of code changes the statistics (trainables/normalized_ssl/clean_statistics.py).
CLEAN_STATISTICS_VERSION = 1

UPSTREAMS = tuple(UPSTREAM_TABLE)
SPECTRAL_UPSTREAMS = tuple(name for name, upstream in UPSTREAM_TABLE.items() if upstream.spectral)
PAPER_STRENGTH = {name: upstream.paper_strength for name, upstream in UPSTREAM_TABLE.items()}
# Layers that can be normalized: three transformer layers; seven convolutions, projection, transformer layer.
DEEPEST_LAYER = {name: 3 if upstream.spectral else 9 for name, upstream in UPSTREAM_TABLE.items()}

_CHOICES: dict[str, tuple[Any, ...]] = {
    "upstream": UPSTREAMS,
    "size": ("tiny", "base"),
    "init": ("pretrained", "random"),
    "norm_site": ("input", "output"),
    "skip_reads": ("raw", "normalized", None),
    "affine_stats": ("running", "batch"),
    "clean_stats": ("batch", "corpus"),
    "running_start": ("corrected", "first_batch", "identity"),
    "k_shape": ("linear", "cosine", "exp", "step", "poly", "constant"),
    "cmvn": ("utterance", "corpus"),
    "optimizer": ("adam", "muon", None),
    "head_kernel": (1, 3, 5),
    "skip_channels": (64, 128),
    "decoder_channels": (128, 256, 512),
}
# field -> (lowest, highest), both allowed
_RANGES: dict[str, tuple[float, float]] = {
    "k0": (0.0, 1.0),
    "k_end": (0.01, 1.0),
    "k_hold": (0.0, 0.9),
    "k_power": (0.1, 10.0),
    "horizon_m": (1.0, 1e6),
    "horizon_r": (1.0, 1e6),
    "lr_head": (1e-7, 1.0),
    "lr_body_ratio": (0.0, 10.0),
    "w_time": (0.0, 1e3),
    "w_mstft": (0.0, 1e3),
    "w_cirm": (0.0, 1e3),
    "w_si_sdr": (0.0, 1e3),
    "warmup_share": (0.0, 0.9),
    "lr_floor": (0.0, 1.0),
    "clip": (1e-6, 1e6),
    "pretraining_steps": (1, 10_000_000),
    "gate_steps": (1, 10_000_000),
    "similarity_pairs": (0, 10_000),
}
_WHOLE_NUMBERS = ("pretraining_steps", "gate_steps", "similarity_pairs")
_FLAGS = ("freeze_body",)
_OPTIONAL = ("k0", "horizon_m", "horizon_r")  # None means a rule, named beside the field
_RULES = FieldRules(
    method="normalized_ssl",
    choices=_CHOICES,
    ranges=_RANGES,
    whole_numbers=_WHOLE_NUMBERS,
    flags=_FLAGS,
    optional=_OPTIONAL,
    lists={"norm_layers": "layers"},
)
# Without a normalized layer these do nothing; the effective configuration holds their defaults.
_STRENGTH_FIELDS = (
    "norm_site",
    "skip_reads",
    "k0",
    "k_shape",
    "k_end",
    "k_hold",
    "k_power",
    "horizon_m",
    "horizon_r",
    "affine_stats",
    "clean_stats",
    "running_start",
)
# Meaningful for spectral upstreams only; a waveform upstream takes nothing but the default.
_SPECTRAL_FIELDS = ("w_cirm", "head_kernel", "cmvn")
# Meaningful for the U-Net of a waveform upstream at base size only; tiny ones have widths of their own.
_UNET_FIELDS = ("skip_channels", "decoder_channels")


@dataclass(frozen=True, kw_only=True)
class NormalizedSSLConfig(MethodConfig):
    """One candidate of "which layer should be normalized?" with its nuisance values.

    Build it with `from_dict`, which validates and reduces it: without a normalized layer the fields of the
    strength take their defaults, and so does the checkpoint of a random body. All else is kept as written, so
    two candidates can differ that train alike: `k0=None` and the value it stands for, or two `k_power` of a
    shape that reads none.
    """

    upstream: str = "tera"
    size: str = "tiny"  # "tiny" for a CPU; "base" is the published architecture
    init: str = "pretrained"  # "random": an untrained body
    # Base size only: hub id, absolute path or s3://; {upstream} is filled in; None = the published checkpoint.
    checkpoint: str | None = None

    # Feature normalization (Algorithm 1). Layer l's input is site l-1, its output site l.
    norm_layers: tuple[int, ...] = ()  # empty = off
    norm_site: str = "input"
    skip_reads: str | None = None  # waveform decoders' skips; None = raw at an input, normalized at an output
    k0: float | None = None  # initial strength; None = the paper's for this upstream
    k_shape: str = "linear"
    k_end: float = 0.9  # share of the budget after which k = 0 (f in the paper's k(t))
    k_hold: float = 0.0  # share of k's life spent at k0 before it decays
    k_power: float = 2.0  # exponent of k_shape="poly"
    horizon_m: float | None = None  # steps, 1 / (1 - beta_m); None = by the length of the budget
    horizon_r: float | None = None  # steps, 1 / (1 - beta_r); None = by the length of the budget
    affine_stats: str = "running"  # "batch": train with each batch's own statistics (an ablation)
    clean_stats: str = (
        "batch"  # "corpus": targets measured once on clean training speech, and no clean branch
    )
    running_start: str = "corrected"  # free of any start; or a copy of the first batch; or mean 0 and ratio 1
    # A control: a fixed affine per channel disturbs the noisy branch where this layer's input is read.
    planted_layer: int | None = None

    # Losses and head.
    w_time: float = 1.0
    w_mstft: float = 1.0
    w_cirm: float = 1.0  # spectral upstreams only
    w_si_sdr: float = 0.0
    head_kernel: int = 1  # spectral upstreams only
    skip_channels: int = 128  # of every skip of the U-Net: waveform upstreams at base size only
    decoder_channels: int = 256  # of its stages but the last: waveform upstreams at base size only
    cmvn: str = "utterance"  # spectral upstreams only; "corpus" takes statistics of the clean training speech

    # Linear warm-up, cosine down to `lr_floor` of the peak.
    # "muon": matrices by their orthogonalised momentum, the rest by Adam; None = muon for tiny waveform bodies and
    # their U-Net, else Adam (docs/normalized_ssl.md: why).
    optimizer: str | None = None
    lr_head: float = 1e-3
    lr_body_ratio: float = 0.5
    warmup_share: float = 0.05
    lr_floor: float = 0.05
    clip: float = 5.0  # norm of the gradient
    freeze_body: bool = False  # train the head alone

    pretraining_steps: int = 500  # at tiny size 25 s (tera) to 35 s (wav2vec2) of one core
    gate_steps: int = 60
    similarity_pairs: int = (
        0  # validation pairs of the per-layer similarity curve, once a round; 0 = no curve
    )

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "NormalizedSSLConfig":
        """Validate, and reset what has no effect without a normalized layer or with a random body.

        Raises:
            UserError: naming the field, its value and what is allowed.
        """
        _RULES.refuse_unknown(values, NormalizedSSLConfig)
        plain = dict(values)
        if "norm_layers" in plain:
            plain["norm_layers"] = _RULES.distinct("norm_layers", plain["norm_layers"])
        config = NormalizedSSLConfig(**plain)
        config._check_fields()
        config._check_together()
        return config._effective()

    def stages(
        self, corpus_uri: str, corpus_fingerprint: str, seed: int, threads: int = 1, device: str = "cpu"
    ) -> tuple[Stage, ...]:
        """The pre-trained body this trial reads, and what is measured on it; shared by candidates alike."""
        if not self.needs_pretraining:
            return ()
        place: dict[str, Any] = {
            "seed": seed,
            "corpus_uri": corpus_uri,
            "corpus_fingerprint": corpus_fingerprint,
            "threads": threads,
            "device": device,
        }
        body = self._checkpoint_stage() if self.size == "base" else self._pretraining_stage(place)
        if not self.norm_layers or self.clean_stats == "batch":
            return (body,)
        return (body, self._clean_statistics_stage(body, place))

    def _pretraining_stage(self, place: dict[str, Any]) -> Stage:
        return Stage(
            kind="pretraining",
            name=f"{self.upstream} ({self.size}) pre-training, seed {place['seed']}",
            runner="ssl_pretraining",
            version=PRETRAINING_VERSION,
            config=self.pretraining_config(),
            rests_on=self._unit_stages(place),
            **place,
        )

    def _clean_statistics_stage(self, body: Stage, place: dict[str, Any]) -> Stage:
        return Stage(
            kind="clean_statistics",
            name=f"{self.upstream} ({self.size}) clean statistics, seed {place['seed']}",
            runner="ssl_clean_statistics",
            version=CLEAN_STATISTICS_VERSION,
            config=self.pretraining_config(),
            rests_on=(body,),
            **place,
        )

    def _checkpoint_stage(self) -> Stage:
        """The public weights: the same for every seed, corpus and device."""
        source = checkpoint_source.resolve(self.upstream, self.checkpoint)
        return Stage(
            kind="pretraining",
            name=f"{self.upstream} (base) checkpoint",
            runner="ssl_published_weights",
            version=CHECKPOINT_VERSION,
            config={
                "upstream": self.upstream,
                "size": self.size,
                "cmvn": self.cmvn,
                "checkpoint": source,
                "identity": checkpoint_source.identity(source),
            },
            seed=0,
            corpus_uri="",
            corpus_fingerprint="",
        )

    def _unit_stages(self, place: dict[str, Any]) -> tuple[Stage, ...]:
        """The k-means units that HuBERT and WavLM learn to predict: the same stage for both."""
        if not UPSTREAM_TABLE[self.upstream].predicts_units:
            return ()
        stage = Stage(
            kind="speech_units",
            name=f"k-means units, seed {place['seed']}",
            runner="ssl_speech_units",
            version=UNITS_VERSION,
            config={},
            **{**place, "device": "cpu"},
        )
        return (stage,)

    @property
    def needs_pretraining(self) -> bool:
        """A pre-trained body, or the clean-speech statistics that only pre-training measures."""
        return self.init == "pretrained" or self.cmvn == "corpus"

    def pretraining_config(self) -> dict[str, Any]:
        """The fields that determine the pre-trained body, and no other."""
        fields = {"upstream": self.upstream, "size": self.size, "cmvn": self.cmvn}
        if self.size == "base":
            return {**fields, "checkpoint": self.checkpoint}
        return {**fields, "pretraining_steps": self.pretraining_steps}

    @property
    def spectral(self) -> bool:
        return UPSTREAM_TABLE[self.upstream].spectral

    @property
    def strength(self) -> float:
        """k0, resolved."""
        return PAPER_STRENGTH[self.upstream] if self.k0 is None else self.k0

    @property
    def takes_muon(self) -> bool:
        """The optimizer, resolved."""
        if self.optimizer is None:
            return self.size == "tiny" and not self.spectral
        return self.optimizer == "muon"

    @property
    def planted_site(self) -> int | None:
        return None if self.planted_layer is None else self.planted_layer - 1

    @property
    def skips_read_raw(self) -> bool:
        if self.skip_reads is None:
            return self.norm_site == "input"
        return self.skip_reads == "raw"

    @property
    def norm_sites(self) -> tuple[int, ...]:
        """Positions between layers: 0 is what enters layer 1, l is what leaves layer l."""
        shift = 1 if self.norm_site == "input" else 0
        return tuple(layer - shift for layer in self.norm_layers)

    @staticmethod
    def allowed_values() -> dict[str, str]:
        """What each field may be, in words."""
        return _RULES.in_words()

    # -- validation ---------------------------------------------------------------------------------

    def _check_fields(self) -> None:
        _RULES.check(self)
        if self.checkpoint is not None and not isinstance(self.checkpoint, str):
            raise _RULES.refusal("checkpoint", self.checkpoint, "a hub id, an absolute path or s3://...")

    def _check_together(self) -> None:
        deepest = DEEPEST_LAYER[self.upstream]
        if self.planted_layer is not None and (
            type(self.planted_layer) is not int or not 1 <= self.planted_layer <= deepest
        ):
            raise _RULES.refusal(
                "planted_layer", self.planted_layer, f"layers 1 to {deepest} of {self.upstream}"
            )
        for layer in self.norm_layers:
            if not 1 <= layer <= deepest:
                raise _RULES.refusal(
                    "norm_layers", list(self.norm_layers), f"layers 1 to {deepest} of {self.upstream}"
                )
        if self.norm_layers and self.init == "random":
            raise _RULES.refusal(
                "norm_layers",
                list(self.norm_layers),
                'nothing with init="random": clean features of an untrained body carry no target',
            )
        if self.size == "base":
            self._check_defaults(("cmvn",), 'size="base": the published bodies know utterance statistics')
        else:
            self._check_defaults(("checkpoint",), f"size={self.size!r}, whose bodies are pre-trained here")
        if self.checkpoint is not None:
            checkpoint_source.resolve(self.upstream, self.checkpoint)
        if not self.spectral:
            self._check_defaults(_SPECTRAL_FIELDS, f"upstream={self.upstream!r}, where it has no effect")
        if self.spectral or self.size != "base":
            self._check_defaults(_UNET_FIELDS, f"upstream={self.upstream!r}, size={self.size!r}")
        if not self._loss_weights():
            raise _RULES.refusal("w_time, w_mstft, w_si_sdr", 0, "at least one loss weight above 0")

    def _check_defaults(self, names: Iterable[str], where: str) -> None:
        for name in names:
            default = _DEFAULTS[name]
            if getattr(self, name) != default:
                raise _RULES.refusal(name, getattr(self, name), f"only {default!r} with {where}")

    def _loss_weights(self) -> float:
        return self.w_time + self.w_mstft + self.w_si_sdr + (self.w_cirm if self.spectral else 0.0)

    def _effective(self) -> "NormalizedSSLConfig":
        unused = () if self.norm_layers else _STRENGTH_FIELDS
        if self.init == "random":
            unused = (*unused, "checkpoint")
        return replace(self, **{name: _DEFAULTS[name] for name in unused})


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(NormalizedSSLConfig)}
