"""Everything that defines one normalized-SSL trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from trainables.errors import UserError
from trainables.stages import Stage

# Bump when a change of code changes what pre-training produces (trainables/normalized_ssl/pretraining.py).
PRETRAINING_VERSION = 3

SPECTRAL_UPSTREAMS = ("tera",)
WAVEFORM_UPSTREAMS = ("wav2vec2",)
UPSTREAMS = SPECTRAL_UPSTREAMS + WAVEFORM_UPSTREAMS

# The paper's initial strengths (section 3.3 of the method's description), one per upstream.
PAPER_STRENGTH = {"tera": 0.8, "wav2vec2": 0.5}
# Layers that can be normalized: three transformer layers; seven convolutions, projection, transformer layer.
DEEPEST_LAYER = {"tera": 3, "wav2vec2": 9}

_CHOICES: dict[str, tuple[Any, ...]] = {
    "upstream": UPSTREAMS,
    "size": ("tiny", "base"),
    "init": ("pretrained", "random"),
    "norm_site": ("input", "output"),
    "k_shape": ("linear", "cosine", "exp", "step", "poly", "constant"),
    "cmvn": ("utterance", "corpus"),
    "head_kernel": (1, 3, 5),
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
}
_WHOLE_NUMBERS = ("pretraining_steps", "gate_steps")
_FLAGS = ("freeze_body",)
_OPTIONAL = ("k0", "horizon_m", "horizon_r")  # None means a rule, named beside the field
# Without a normalized layer these do nothing; the effective configuration holds their defaults.
_STRENGTH_FIELDS = ("norm_site", "k0", "k_shape", "k_end", "k_hold", "k_power", "horizon_m", "horizon_r")
# Meaningful for spectral upstreams only; a waveform upstream takes nothing but the default.
_SPECTRAL_FIELDS = ("w_cirm", "head_kernel", "cmvn")


@dataclass(frozen=True, kw_only=True)
class NormalizedSSLConfig:
    """One candidate of "which layer should be normalized?" with its nuisance values.

    Build it with `from_dict`, which validates and reduces it to its effective settings: two configurations
    that train the same network in the same way are equal.
    """

    upstream: str = "tera"
    size: str = "tiny"  # "tiny" for a CPU; "base" is the published architecture
    init: str = "pretrained"  # "random": an untrained body

    # Feature normalization (Algorithm 1). Layer l's input is site l-1, its output site l.
    norm_layers: tuple[int, ...] = ()  # empty = off
    norm_site: str = "input"
    k0: float | None = None  # initial strength; None = the paper's for this upstream
    k_shape: str = "linear"
    k_end: float = 0.9  # share of the budget after which k = 0 (f in the paper's k(t))
    k_hold: float = 0.0  # share of k's life spent at k0 before it decays
    k_power: float = 2.0  # exponent of k_shape="poly"
    horizon_m: float | None = None  # steps, 1 / (1 - beta_m); None = by the length of the budget
    horizon_r: float | None = None  # steps, 1 / (1 - beta_r); None = by the length of the budget

    # Losses and head.
    w_time: float = 1.0
    w_mstft: float = 1.0
    w_cirm: float = 1.0  # spectral upstreams only
    w_si_sdr: float = 0.0
    head_kernel: int = 1  # spectral upstreams only
    cmvn: str = "utterance"  # spectral upstreams only; "corpus" takes statistics of the clean training speech

    # Optimizer: Adam, linear warm-up, cosine down to `lr_floor` of the peak.
    lr_head: float = 1e-3
    lr_body_ratio: float = 0.5
    warmup_share: float = 0.05
    lr_floor: float = 0.05
    clip: float = 5.0  # norm of the gradient
    freeze_body: bool = False  # train the head alone

    pretraining_steps: int = 600  # at tiny size 30 s (tera) to 40 s (wav2vec2) of one core
    gate_steps: int = 60

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "NormalizedSSLConfig":
        """Validate and reduce to effective settings.

        Raises:
            UserError: naming the field, its value and what is allowed.
        """
        _refuse_unknown(values)
        plain = dict(values)
        if "norm_layers" in plain:
            plain["norm_layers"] = _layer_tuple(plain["norm_layers"])
        config = NormalizedSSLConfig(**plain)
        config._check_fields()
        config._check_together()
        return config._effective()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` takes them back."""
        return {**asdict(self), "norm_layers": list(self.norm_layers)}

    def stages(
        self, corpus_uri: str, corpus_fingerprint: str, seed: int, threads: int = 1, device: str = "cpu"
    ) -> tuple[Stage, ...]:
        """The pre-training this trial reads, shared by every candidate with the same seed."""
        if not self.needs_pretraining:
            return ()
        stage = Stage(
            kind="pretraining",
            name=f"{self.upstream} ({self.size}) pre-training, seed {seed}",
            runner="trainables.normalized_ssl.pretraining:run",
            version=PRETRAINING_VERSION,
            config=self.pretraining_config(),
            seed=seed,
            corpus_uri=corpus_uri,
            corpus_fingerprint=corpus_fingerprint,
            threads=threads,
            device=device,
        )
        return (stage,)

    @property
    def needs_pretraining(self) -> bool:
        """A pre-trained body, or the clean-speech statistics that only pre-training measures."""
        return self.init == "pretrained" or self.cmvn == "corpus"

    def pretraining_config(self) -> dict[str, Any]:
        """The fields that determine the pre-trained body, and no other."""
        return {
            "upstream": self.upstream,
            "size": self.size,
            "cmvn": self.cmvn,
            "pretraining_steps": self.pretraining_steps,
        }

    @property
    def spectral(self) -> bool:
        return self.upstream in SPECTRAL_UPSTREAMS

    @property
    def strength(self) -> float:
        """k0, resolved."""
        return PAPER_STRENGTH[self.upstream] if self.k0 is None else self.k0

    @property
    def norm_sites(self) -> tuple[int, ...]:
        """Positions between layers: 0 is what enters layer 1, l is what leaves layer l."""
        shift = 1 if self.norm_site == "input" else 0
        return tuple(layer - shift for layer in self.norm_layers)

    @staticmethod
    def allowed_values() -> dict[str, str]:
        """What each field may be, in words."""
        ranges = {name: f"{low:g} to {high:g}" for name, (low, high) in _RANGES.items()}
        choices = {name: ", ".join(map(str, allowed)) for name, allowed in _CHOICES.items()}
        flags = dict.fromkeys(_FLAGS, "true, false")
        return {**choices, **ranges, **flags, "norm_layers": "a list of layers, [] = off"}

    # -- validation ---------------------------------------------------------------------------------

    def _check_fields(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed or isinstance(value, bool):
                raise _refusal(name, value, "one of " + ", ".join(map(str, allowed)))
        for name, (lowest, highest) in _RANGES.items():
            _check_number(name, getattr(self, name), lowest, highest)
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise _refusal(name, getattr(self, name), "true or false")

    def _check_together(self) -> None:
        deepest = DEEPEST_LAYER[self.upstream]
        for layer in self.norm_layers:
            if not 1 <= layer <= deepest:
                raise _refusal(
                    "norm_layers", list(self.norm_layers), f"layers 1 to {deepest} of {self.upstream}"
                )
        if self.norm_layers and self.init == "random":
            raise _refusal(
                "norm_layers",
                list(self.norm_layers),
                'nothing with init="random": clean features of an untrained body carry no target',
            )
        if not self.spectral:
            self._check_defaults(_SPECTRAL_FIELDS, f"upstream={self.upstream!r}, where it has no effect")
        if not self._loss_weights():
            raise _refusal("w_time, w_mstft, w_si_sdr", 0, "at least one loss weight above 0")

    def _check_defaults(self, names: Iterable[str], where: str) -> None:
        for name in names:
            default = _DEFAULTS[name]
            if getattr(self, name) != default:
                raise _refusal(name, getattr(self, name), f"only {default!r} with {where}")

    def _loss_weights(self) -> float:
        return self.w_time + self.w_mstft + self.w_si_sdr + (self.w_cirm if self.spectral else 0.0)

    def _effective(self) -> "NormalizedSSLConfig":
        if self.norm_layers:
            return self
        return replace(self, **{name: _DEFAULTS[name] for name in _STRENGTH_FIELDS})


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(NormalizedSSLConfig)}


def _refuse_unknown(values: dict[str, Any]) -> None:
    unknown = sorted(set(values) - set(_DEFAULTS))
    if unknown:
        raise UserError(
            f"normalized_ssl has no field {unknown[0]!r}: its fields are {', '.join(sorted(_DEFAULTS))}"
        )


def _layer_tuple(value: Any) -> tuple[int, ...]:
    """[2] or (1, 3) -> ascending distinct whole numbers."""
    whole = isinstance(value, (list, tuple)) and all(type(layer) is int for layer in value)
    if not whole or len(set(value)) != len(value):
        raise _refusal("norm_layers", value, "a list of distinct whole numbers, [] = off")
    return tuple(sorted(value))


def _check_number(name: str, value: Any, lowest: float, highest: float) -> None:
    if value is None and name in _OPTIONAL:
        return
    kinds: tuple[type, ...] = (int,) if name in _WHOLE_NUMBERS else (int, float)
    number = isinstance(value, kinds) and not isinstance(value, bool)
    if not number or not lowest <= value <= highest:
        kind = "a whole number" if name in _WHOLE_NUMBERS else "a number"
        raise _refusal(name, value, f"{kind} from {lowest:g} to {highest:g}")


def _refusal(name: str, value: Any, allowed: str) -> UserError:
    return UserError(f"normalized_ssl: {name}={value!r} is not possible; allowed: {allowed}")
