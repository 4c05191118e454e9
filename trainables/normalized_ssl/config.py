"""Everything that defines one normalized-SSL trial, validated and torch-free.

Spaces, plans and dry runs read this file; it must never import torch. The method itself is in method.py.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Unpack

from trainables.base.published.source import located
from trainables.config.fields import PaperTerm, choice, flag, number, positions, text, whole
from trainables.config.method_config import MethodConfig
from trainables.job.assignment import DataSettings
from trainables.job.stages import Stage, StagePlace
from trainables.ssl.description import PRETRAINING_INPUTS, SSLModel
from trainables.ssl.published_weights.source import resolve
from trainables.ssl.stages import body_stage, require_weights
from trainables.ssl.upstream_table import UPSTREAM_TABLE

# Bump when a change of code changes the statistics (trainables/normalized_ssl/clean_statistics.py).
CLEAN_STATISTICS_VERSION = 2
# The same of noise_types.py and adaptation.py.
NOISE_TYPES_VERSION = 1
ADAPTATION_VERSION = 2

UPSTREAMS = tuple(UPSTREAM_TABLE)
SPECTRAL_UPSTREAMS = tuple(name for name, upstream in UPSTREAM_TABLE.items() if upstream.spectral)
PAPER_STRENGTH = {name: upstream.paper_strength for name, upstream in UPSTREAM_TABLE.items()}
# Layers that can be normalized: three transformer layers; seven convolutions, projection, transformer layer.
DEEPEST_LAYER = {name: 3 if upstream.spectral else 9 for name, upstream in UPSTREAM_TABLE.items()}

_PAPER_HORIZONS = (100.0, 1000.0)  # steps; beta_m = 0.99, beta_r = 0.999
_PAPER_SCALE = 20_000  # steps of budget from which the paper's horizons fit


def horizon_of(momentum: float) -> float:
    """Steps that an average of momentum beta remembers, 1 / (1 - beta); by its decimals: 0.99 -> 100.0 exactly."""
    return float(1 / (1 - Fraction(str(momentum))))


def momentum_of(horizon: float) -> float:
    """beta = 1 - 1 / horizon (steps), to 15 decimals: what `horizon_of` was given comes back."""
    return round(1.0 - 1.0 / horizon, 15)


def _momentum(name: str, horizon: str) -> PaperTerm:
    """The paper's momentum (1 to 1e6 steps) of the field `horizon`."""
    return PaperTerm(name, f"1 - 1 / {horizon}", horizon_of, lowest=0.0, highest=0.999999)


# Without a normalized layer these do nothing; the effective configuration holds their defaults.
_STRENGTH_FIELDS = (
    *("norm_site", "skip_reads", "k0", "k_shape", "k_end", "k_hold", "k_power"),
    *("horizon_m", "horizon_r", "affine_stats", "clean_stats", "running_start"),
)
# Of the rivals of normalization: first what turns one on, then what has no effect without it.
_ADAPTER_FIELDS = ("adapter_layers", "adapter_channels", "draft_steps")
_ADVERSARY_FIELDS = ("adversary_domains", "adversary_strength", "adversary_schedule", "lr_adversary_ratio")
_READOUT_FIELDS = ("readout_sites", "lr_readout_ratio")
RIVAL_FIELDS = (
    *("adapters", *_ADAPTER_FIELDS, "adversary_layer", *_ADVERSARY_FIELDS),
    *("readout", *_READOUT_FIELDS, "pretraining_input"),
)
# Meaningful for spectral upstreams only; a waveform upstream takes nothing but the default.
_SPECTRAL_FIELDS = ("w_cirm", "head_kernel", "cmvn")
# Meaningful for the U-Net of a waveform upstream at base size only; tiny ones have widths of their own.
_UNET_FIELDS = ("skip_channels", "decoder_channels")


@dataclass(frozen=True, kw_only=True)
class NormalizedSSLConfig(MethodConfig):
    """One candidate of "which layer should be normalized?" with its nuisance values.

    Without a normalized layer the fields of the strength take their defaults, and so does the checkpoint of a random
    body. All else is kept as written, so two candidates can differ that train alike: `k0=None` and the value it stands
    for, or two `k_power` of a shape that reads none.
    """

    METHOD = "normalized_ssl"

    upstream: str = choice("tera", of=UPSTREAMS, section="Network", help="The self-supervised body.")
    size: str = choice("tiny", of=("tiny", "base"), help="base is the published one, tiny is for a CPU.")
    init: str = choice("pretrained", of=("pretrained", "random"), help="Weights of the body.")
    checkpoint: str | None = text(
        what="a hub id, a path or s3://...",
        place=located,
        help="Published weights at base size ({upstream} is filled in); null = the paper's.",
    )

    # Algorithm 1. Layer l's input is site l-1, its output site l.
    norm_layers: tuple[int, ...] = positions(
        unit="layers",
        section="Feature normalization",
        help="Layers normalized while training: 1-3 of mockingjay and tera, 1-9 of the others.",
    )
    norm_site: str = choice("input", of=("input", "output"), help="Where a layer is normalized; the paper says input.")
    skip_reads: str | None = choice(
        None,
        of=("raw", "normalized", None),
        help="Features that a waveform decoder's skips read; null = raw at an input, normalized at an output.",
    )
    k0: float | None = number(None, (0.0, 1.0), help="Initial strength; null = the paper's for the upstream.")
    k_shape: str = choice(
        "linear",
        of=("linear", "cosine", "exp", "step", "poly", "constant"),
        help="Decay of the strength; constant is an ablation.",
    )
    k_end: float = number(0.9, (0.01, 1.0), unit="share of the budget", help="When the strength reaches 0.")
    k_hold: float = number(0.0, (0.0, 0.9), unit="share of k_end", help="How long the strength stays at k0.")
    k_power: float = number(2.0, (0.1, 10.0), help="Exponent of k_shape=poly.")
    horizon_m: float | None = number(
        None,
        (1.0, 1e6),
        unit="steps",
        paper=_momentum("beta_m", "horizon_m"),
        help="Steps that the running means average over; null = 100, or a 40th of a budget below 20,000 steps.",
    )
    horizon_r: float | None = number(
        None,
        (1.0, 1e6),
        unit="steps",
        paper=_momentum("beta_r", "horizon_r"),
        help="Steps that the ratio of deviations averages over; null = 1,000, or a tenth of a budget below 20,000.",
    )
    affine_stats: str = choice(
        "running", of=("running", "batch"), help="Statistics of the affine map; batch is an ablation."
    )
    clean_stats: str = choice(
        "batch",
        of=("batch", "corpus"),
        help="Clean targets from each batch's clean branch, or measured once on the clean training speech.",
    )
    running_start: str = choice(
        "corrected",
        of=("corrected", "first_batch", "identity"),
        help="Start of the running statistics: bias-corrected, a copy of the first batch, or mean 0 and ratio 1.",
    )
    planted_layer: int | None = whole(
        None,
        (1, max(DEEPEST_LAYER.values())),
        unit="layer",
        help="A control: the layer whose noisy input a fixed affine map per channel disturbs; null = none.",
    )

    adapters: str | None = choice(
        None,
        of=("only", "both", "draft", None),
        section="Rivals of normalization",
        help="Residual adapters behind layers: alone, the body frozen; with the body; or with it after learning noisy "
        "speech alone (draft).",
    )
    adapter_layers: tuple[int, ...] = positions(
        unit="layers",
        empty="the usual",
        help="Layers with an adapter behind them; usual are 1-3 of mockingjay and tera, 8 and 9 of the others.",
    )
    adapter_channels: int = whole(
        16, (1, 4096), unit="channels", help="Bottleneck of an adapter; 32 to 256 suit base size."
    )
    draft_steps: int = whole(
        200, (1, 10_000_000), unit="steps", help="How long the adapters of adapters=draft learn alone."
    )
    adversary_layer: int | None = whole(
        None,
        (1, max(DEEPEST_LAYER.values())),
        unit="layer",
        help="Domain-adversarial training: a classifier of domains at the layer's input; null = none.",
    )
    adversary_domains: str = choice(
        "clean", of=("clean", "noise"), help="What it tells apart: noisy from clean, or the types of noise."
    )
    adversary_strength: float = number(0.05, (0.0, 10.0), help="Factor of the classifier's reversed gradient.")
    adversary_schedule: str = choice(
        "ganin",
        of=("ganin", "constant", "as_k"),
        help="Of that factor: a sigmoid's rise, constant, or a fall to 0 at 0.9 of the budget as k has by default.",
    )
    lr_adversary_ratio: float = number(
        5.0, (0.0, 100.0), unit="share of lr_head", help="Learning rate of the classifier."
    )
    readout: str = choice(
        "last",
        of=("last", "weighted", "weighted_ln", "bsse"),
        help="What the decoder reads as the last features: the last site; a learnt mean of sites, or of sites after a "
        "LayerNorm each; or the latter next to the mixture's spectrum, in BSSE's decoder.",
    )
    readout_sites: tuple[int, ...] = positions(
        unit="sites",
        empty="all",
        help="Sites of that mean, all of one frame rate: 0-3 of mockingjay and tera, 8 and 9 of the others.",
    )
    lr_readout_ratio: float = number(
        1.0, (0.0, 1000.0), unit="share of lr_head", help="Learning rate of the mean's weights and norms."
    )
    pretraining_input: str | None = choice(
        None,
        of=(*PRETRAINING_INPUTS, None),
        help="What a tiny body hears in pre-training: clean speech, WavLM's mixing, noisy speech, or that with clean "
        "targets (denoise); null = the upstream's own.",
    )

    w_time: float = number(1.0, (0.0, 1e3), section="Losses and head", help="Weight of the waveform MSE.")
    w_mstft: float = number(1.0, (0.0, 1e3), help="Weight of the multi-resolution STFT loss.")
    w_cirm: float = number(1.0, (0.0, 1e3), help="Weight of the compressed complex mask's MSE; spectral upstreams.")
    w_si_sdr: float = number(0.0, (0.0, 1e3), help="Weight of the negative SI-SDR.")
    head_kernel: int = choice(1, of=(1, 3, 5), unit="frames", help="Kernel of the head; spectral upstreams only.")
    skip_channels: int = choice(128, of=(64, 128), unit="channels", help="Skips of a waveform body's U-Net; base size.")
    decoder_channels: int = choice(
        256, of=(128, 256, 512), unit="channels", help="That U-Net's stages but the last; base size."
    )
    cmvn: str = choice(
        "utterance",
        of=("utterance", "corpus"),
        help="Statistics of the input log-mels, spectral upstreams only: the utterance's, or the clean training set's.",
    )

    # Linear warm-up, cosine down to `lr_floor` of the peak.
    optimizer: str | None = choice(
        None,
        of=("adam", "muon", None),
        section="Optimizer",
        help="muon orthogonalizes the momentum of matrices; null = muon for tiny bodies but apc's, else adam.",
    )
    lr_head: float = number(1e-3, (1e-7, 1.0), help="Peak learning rate of the head or decoder.")
    lr_body_ratio: float = number(0.5, (0.0, 10.0), unit="share of lr_head", help="Learning rate of the body.")
    warmup_share: float = number(0.05, (0.0, 0.9), unit="share of the budget", help="Linear warm-up.")
    lr_floor: float = number(0.05, (0.0, 1.0), unit="share of the peak", help="End of the cosine decay.")
    clip: float = number(5.0, (1e-6, 1e6), help="Largest norm of the gradient.")
    freeze_body: bool = flag(False, help="Train the head alone.")

    # At tiny size 250 steps take 7 s (tera) to 11 s (wav2vec2) of one core.
    pretraining_steps: int = whole(
        250,
        (1, 10_000_000),
        unit="steps",
        section="Pre-training and measurements",
        help="Pre-training of a tiny body on speech.",
    )
    gate_steps: int = whole(60, (1, 10_000_000), unit="steps", help="Training of a head for the transfer gate.")
    similarity_pairs: int = whole(
        0,
        (0, 10_000),
        unit="utterances",
        help="Validation pairs behind the similarity curve of every layer, measured once a round; 0 = no curve.",
    )

    def paper_terms(self, steps: int) -> dict[str, float]:
        """k0, beta_m and beta_r as a training of `steps` steps uses them; {} where no layer is normalized."""
        if not self.norm_layers:
            return {}
        means, ratios = self.horizons(steps)
        return {"k0": self.initial_strength, "beta_m": momentum_of(means), "beta_r": momentum_of(ratios)}

    def stages(self, seed: int, **place: Unpack[StagePlace]) -> tuple[Stage, ...]:
        """The pre-trained body this trial reads, and what is measured on it; shared by candidates alike."""
        found: list[Stage] = []
        if self.needs_pretraining:
            body = body_stage(self.ssl, seed, **place)
            found.append(body)
            if self.norm_layers and self.clean_stats == "corpus":
                found.append(self._clean_statistics(seed, body, place))
            if self.adapters == "draft":
                found.append(self._adaptation(seed, body, place))
        if self.classifies_noise:
            found.append(self._noise_types(place))
        return tuple(found)

    def _clean_statistics(self, seed: int, body: Stage, place: StagePlace) -> Stage:
        return Stage(
            kind="clean_statistics",
            name=f"{self.upstream} ({self.size}) clean statistics, seed {seed}",
            runner="ssl_clean_statistics",
            version=CLEAN_STATISTICS_VERSION,
            config=self.ssl.body_fields(),
            seed=seed,
            rests_on=(body,),
            **place,
        )

    def _adaptation(self, seed: int, body: Stage, place: StagePlace) -> Stage:
        adapters = {"sites": list(self.adapter_sites), "bottleneck": self.adapter_channels, "steps": self.draft_steps}
        return Stage(
            kind="adaptation",
            name=f"{self.upstream} ({self.size}) adapters on noisy speech, seed {seed}",
            runner="ssl_adaptation",
            version=ADAPTATION_VERSION,
            config={**self.ssl.body_fields(), **adapters},
            seed=seed,
            rests_on=(body,),
            **place,
        )

    def _noise_types(self, place: StagePlace) -> Stage:
        """The names of the training noises' types: the same for every seed and device."""
        stage = Stage(
            kind="noise_types",
            name="types of noise",
            runner="ssl_noise_types",
            version=NOISE_TYPES_VERSION,
            config={},
            seed=0,
            **place,
        )
        return replace(stage, threads=1, device="cpu")

    def require_corpus(self, summary: Mapping[str, Any], data: DataSettings) -> None:
        if not self.classifies_noise:
            return
        if data.swap_roles:
            raise self.refusal("adversary_domains", "noise", "only clean with swapped splits")
        types = summary.get("splits", {}).get("train", {}).get("noise_types", 0)
        if types < 2:
            allowed = f"only clean with this corpus, whose training noises have {'1 type' if types else 'no types'}"
            raise self.refusal("adversary_domains", "noise", allowed)

    def require_inputs(self) -> None:
        if self.needs_pretraining:
            require_weights(self.ssl)

    @property
    def needs_pretraining(self) -> bool:
        """A pre-trained body, or the clean-speech statistics that only pre-training measures."""
        return self.init == "pretrained" or self.cmvn == "corpus"

    @property
    def ssl(self) -> SSLModel:
        """The body and where its weights come from."""
        return SSLModel(
            upstream=self.upstream,
            size=self.size,
            cmvn=self.cmvn,
            checkpoint=self.checkpoint,
            pretraining_steps=self.pretraining_steps,
            pretraining_input=self.pretraining_input,
        )

    @property
    def spectral(self) -> bool:
        return UPSTREAM_TABLE[self.upstream].spectral

    @property
    def predicts_mask(self) -> bool:
        """Whether the decoder predicts the complex mask that `w_cirm` weighs."""
        return self.spectral and self.readout != "bsse"

    @property
    def initial_strength(self) -> float:
        """k0, resolved."""
        return PAPER_STRENGTH[self.upstream] if self.k0 is None else self.k0

    def horizons(self, budget: int) -> tuple[float, float]:
        """Steps over which means and deviation ratios are averaged, for a budget of that many steps.

        With the paper's beta_r of 0.999 a run of 300 steps would end near its first batch, so short budgets
        average over a fortieth and a tenth of themselves.
        """
        rule = _PAPER_HORIZONS if budget >= _PAPER_SCALE else (budget / 40, budget / 10)
        means = rule[0] if self.horizon_m is None else self.horizon_m
        ratios = rule[1] if self.horizon_r is None else self.horizon_r
        return max(1.0, means), max(1.0, ratios)

    @property
    def takes_muon(self) -> bool:
        """The optimizer, resolved."""
        if self.optimizer is None:
            return self.size == "tiny" and UPSTREAM_TABLE[self.upstream].transformer
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
    def body_frozen(self) -> bool:
        return self.freeze_body or self.adapters == "only"

    @property
    def adapter_sites(self) -> tuple[int, ...]:
        """Outputs of layers that go through an adapter."""
        if self.adapters is None:
            return ()
        return self.adapter_layers or ((1, 2, 3) if self.spectral else (8, 9))

    @property
    def summed_sites(self) -> tuple[int, ...]:
        """Sites whose mean the decoder reads; () = it reads the last one."""
        return () if self.readout == "last" else self.readout_sites or self._sites_at_last_rate

    @property
    def _sites_at_last_rate(self) -> tuple[int, ...]:
        """And of the last one's width: APC's site 0 is the log-mels themselves."""
        if not self.spectral:
            return (8, 9)
        return (0, 1, 2, 3) if UPSTREAM_TABLE[self.upstream].transformer else (1, 2, 3)

    @property
    def adversary_site(self) -> int | None:
        return None if self.adversary_layer is None else self.adversary_layer - 1

    @property
    def classifies_noise(self) -> bool:
        """Whether an adversary tells types of noise apart."""
        return self.adversary_layer is not None and self.adversary_domains == "noise"

    @property
    def norm_sites(self) -> tuple[int, ...]:
        """Positions between layers: 0 is what enters layer 1, l is what leaves layer l."""
        shift = 1 if self.norm_site == "input" else 0
        return tuple(layer - shift for layer in self.norm_layers)

    # -- validation ---------------------------------------------------------------------------------

    def check_together(self) -> None:
        deepest = DEEPEST_LAYER[self.upstream]
        if self.planted_layer is not None and self.planted_layer > deepest:
            raise self.refusal("planted_layer", self.planted_layer, f"layers 1 to {deepest} of {self.upstream}")
        for layer in self.norm_layers:
            if not 1 <= layer <= deepest:
                raise self.refusal("norm_layers", list(self.norm_layers), f"layers 1 to {deepest} of {self.upstream}")
        self._check_rivals(deepest)
        if self.norm_layers and self.init == "random":
            raise self.refusal(
                "norm_layers",
                list(self.norm_layers),
                'nothing with init="random": clean features of an untrained body carry no target',
            )
        if self.size == "base":
            self._check_defaults(("cmvn",), 'size="base": the published bodies know utterance statistics')
            self._check_defaults(("pretraining_input",), 'size="base", whose bodies are published')
        else:
            self._check_defaults(("checkpoint",), f"size={self.size!r}, whose bodies are pre-trained here")
        if self.checkpoint is not None:
            resolve(self.upstream, self.checkpoint)
        if not self.spectral:
            self._check_defaults(_SPECTRAL_FIELDS, f"upstream={self.upstream!r}, where it has no effect")
        if self.spectral or self.size != "base":
            self._check_defaults(_UNET_FIELDS, f"upstream={self.upstream!r}, size={self.size!r}")
        if not self._loss_weights():
            raise self.refusal("w_time, w_mstft, w_si_sdr", 0, "at least one loss weight above 0")

    def _check_rivals(self, deepest: int) -> None:
        if self.adapters is not None and not UPSTREAM_TABLE[self.upstream].transformer:
            allowed = f"only null with {self.upstream}, whose body has no transformer layers"
            raise self.refusal("adapters", self.adapters, allowed)
        if self.adapters == "draft":
            self._check_draft()
        if not set(self.readout_sites) <= set(self._sites_at_last_rate):
            listed = ", ".join(map(str, self._sites_at_last_rate))
            allowed = f"sites {listed} of {self.upstream}, whose frame rate is the last one's"
            raise self.refusal("readout_sites", list(self.readout_sites), allowed)
        if not all(1 <= layer <= deepest for layer in self.adapter_layers):
            allowed = f"layers 1 to {deepest} of {self.upstream}"
            raise self.refusal("adapter_layers", list(self.adapter_layers), allowed)
        if self.adapters in ("both", "draft") and self.freeze_body:
            raise self.refusal("adapters", self.adapters, "only or null with freeze_body=true")
        if self.adversary_layer is None:
            return
        lowest = 1 if self.spectral else 2  # a waveform body's first input is the waveform itself
        if not lowest <= self.adversary_layer <= deepest:
            allowed = f"layers {lowest} to {deepest} of {self.upstream}"
            raise self.refusal("adversary_layer", self.adversary_layer, allowed)
        if self.norm_layers:
            raise self.refusal("adversary_layer", self.adversary_layer, "only null with norm_layers: they are rivals")
        if self.body_frozen:
            raise self.refusal("adversary_layer", self.adversary_layer, "only null with a frozen body: it cannot learn")

    def _check_draft(self) -> None:
        for name, value in (("size", "base"), ("init", "random")):
            if getattr(self, name) == value:
                allowed = f"only, both or null with {name}={value!r}, where no body is pre-trained here"
                raise self.refusal("adapters", "draft", allowed)

    def _check_defaults(self, names: Iterable[str], where: str) -> None:
        for name in names:
            default = getattr(NormalizedSSLConfig, name)
            if getattr(self, name) != default:
                raise self.refusal(name, getattr(self, name), f"only {default!r} with {where}")

    def _loss_weights(self) -> float:
        return self.w_time + self.w_mstft + self.w_si_sdr + (self.w_cirm if self.predicts_mask else 0.0)

    def idle(self) -> Collection[str]:
        idle = [] if self.norm_layers else [*_STRENGTH_FIELDS]
        idle += ["checkpoint"] if self.init == "random" else []
        idle += ["freeze_body", "lr_body_ratio"] if self.adapters == "only" else []
        idle += _ADAPTER_FIELDS if self.adapters is None else []
        idle += ["draft_steps"] if self.adapters != "draft" else []
        idle += _ADVERSARY_FIELDS if self.adversary_layer is None else []
        idle += ["w_cirm", "head_kernel", "skip_reads", *_UNET_FIELDS] if self.readout == "bsse" else []
        idle += _READOUT_FIELDS if self.readout == "last" else []
        own = UPSTREAM_TABLE[self.upstream].own_input
        idle += ["pretraining_input"] if self.init == "random" or self.pretraining_input == own else []
        return idle
