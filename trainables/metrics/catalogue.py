"""The metrics by name: what computes each, what a table calls it and which difference is worth a claim.

Imports nothing heavy: plans, dry runs and leaderboards read it. Packages add metrics of their own through entry points
of the group speech_sweep.metrics; those are scored where a space or `--also` names them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from trainables.base.errors import UserError
from trainables.base.plugins import Registry


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """How a metric is computed, shown and compared.

    `function`: "module:function" of (reference, estimate) or (reference, estimate, sample_rate), float waveforms
    (samples,) and Hz, which returns a float, or `Weighted`, and raises `Unscorable` where there is none. With
    `ingredients`, metrics or `INGREDIENTS`, it is a formula of their values in that order.
    `lower`: less is better, as for error rates.
    `model`: of a metric that needs one, which models it takes, for help and errors: "a CTC recogniser: a hub id, a path
    or s3://...". The user names it (`--also wer=PLACE`), and `function` has one or two arguments more: the model that
    `loader`, "module:function" of (place), has loaded, once a process, on the CPU, to the same bits everywhere; and the
    reference's transcript, None where there is none. Metrics of one `loader` share a model. `check`, "module:function"
    of (path), imports no torch and raises `UserError` for a folder on this machine that cannot serve; models that lie
    elsewhere are loaded before the first job.
    `improvement_of`: the metric whose gain over the unprocessed mixture this one is; it has no function.
    `measured`: a method measures it on its own estimates of the test split (`Method.measures`, listed by its
    `MethodInfo`); it has no function, and the unprocessed input has no such row.
    `margin`: two candidates whose difference surely lies within +-margin count as equivalent.
    `rescaled`: others give it on another scale than ours (a rate as a fraction), so that the margin is for ours only.
    `slow`: where it does not decide, a preset may have it computed on the first clips of a test set alone.
    `everyday`: every space of one voice in noise is scored by it; else only what names it.
    `pooled`: of a metric with weights, what a table calls its weighted mean over the test set.
    `untranscribed`: of a metric that needs transcripts, the one that takes its place where the test set lacks them.
    `packages`: what must be installed for it beyond our own dependencies, by `extra`, or the extra of its name.
    `separation`, `listening`, `pareto`: its place (1 = first) among what separation is scored by, what the listening
    page shows of a clip, and what the Pareto figure sets against the deciding metric; 0 = not there.
    """

    function: str = ""
    ingredients: tuple[str, ...] = ()
    improvement_of: str | None = None
    sample_rate: int | None = None  # Hz, the only one it is defined at; None = any
    lower: bool = False
    measured: bool = False
    model: str = ""
    loader: str = ""
    check: str = ""
    pooled: str = ""
    untranscribed: str = ""
    title: str
    unit: str = ""  # "" where the metric is a pure number
    margin: float
    rescaled: bool = False
    slow: bool = False
    everyday: bool = False
    packages: tuple[str, ...] = ()
    extra: str = ""
    separation: int = 0
    listening: int = 0
    pareto: int = 0


def _ours(function: str, title: str, margin: float, **more: Any) -> MetricInfo:
    unit = title[:-1].partition("(")[2] if title.endswith(")") else ""
    path = f"{__package__}.{function}" if function else ""
    return MetricInfo(function=path, title=title, margin=margin, unit=unit, **more)


def _dnsmos(function: str, rating: str) -> MetricInfo:
    return _ours(
        f"dnsmos:{function}",
        f"DNSMOS {rating}",
        0.03,
        ingredients=("dnsmos_ratings",),
        sample_rate=16000,
        packages=("speechmos", "onnxruntime"),
        extra="dnsmos",
    )


def _embedding(name: str, title: str, margin: float, model: str) -> MetricInfo:
    return _ours(
        f"embeddings.{name}:{name}",
        title,
        margin,
        sample_rate=16000,
        model=f"{model}: a hub id, a path or s3://...",
        loader=f"{__package__}.embeddings.{name}:load",
        check=f"{__package__}.embeddings.{name}:check",
    )


def _measured(title: str, margin: float, **more: Any) -> MetricInfo:
    return MetricInfo(title=title, margin=margin, measured=True, **more)


def _error_rate(name: str, units: str, margin: float) -> MetricInfo:
    """By what a recogniser reads; `units` of which the reference has so many."""
    kind, own = name[:3].upper(), name.endswith("_own")
    remark = ", own reading (%)" if own else " (%)"
    return _ours(
        f"recognition.error_rates:{name}",
        f"{kind} per utterance{remark}",
        margin,
        lower=True,
        rescaled=True,
        sample_rate=16000,
        model="a CTC recogniser: a hub id such as facebook/wav2vec2-base-960h, a path or s3://...",
        loader=f"{__package__}.recognition.recogniser:load",
        check=f"{__package__}.recognition.files:require_recogniser",
        pooled=f"{kind} over all {units}{remark}",
        untranscribed="" if own else f"{name}_own",
        packages=("jiwer",),
        extra="wer",
    )


# What some metrics are made of without being one.
INGREDIENTS = {
    "llr": f"{__package__}.log_likelihood_ratio:log_likelihood_ratio",
    "wss": f"{__package__}.weighted_spectral_slope:weighted_spectral_slope",
    "dnsmos_ratings": f"{__package__}.dnsmos:ratings",  # three numbers of one inference
}
_SIGNAL, _BACKGROUND = ("wb_pesq", "llr", "wss"), ("wb_pesq", "wss", "segsnr")
# Of the gain-fitted CBAK only the segmental SNR differs: PESQ and WSS don't hear the level.
_FITTED = ("wb_pesq", "wss", "segsnr_fitted")

_SLOW: dict[str, Any] = {"everyday": True, "slow": True}  # 4 to 13 ms of a core for a second of audio; SI-SDR takes 0.5

_LAYERS = range(1, 13)

_BUILT_IN: dict[str, MetricInfo] = {
    "wb_pesq": _ours("pesq:wb_pesq", "WB-PESQ", 0.03, **_SLOW, sample_rate=16000, listening=1, pareto=1),
    "stoi": _ours("stoi:stoi", "STOI", 0.003, **_SLOW, listening=3, pareto=4),
    "csig": _ours("composite:csig", "CSIG", 0.03, **_SLOW, ingredients=_SIGNAL),
    "cbak": _ours("composite:cbak", "CBAK", 0.03, **_SLOW, ingredients=_BACKGROUND),
    "covl": _ours("composite:covl", "COVL", 0.03, **_SLOW, ingredients=_SIGNAL),
    "si_sdr": _ours("si_sdr:si_sdr", "SI-SDR (dB)", 0.1, everyday=True, separation=3, listening=2, pareto=3),
    "segsnr": _ours("segmental_snr:segmental_snr", "segSNR (dB)", 0.1, everyday=True),
    "cbak_fitted": _ours("composite:cbak", "CBAK, gain-fitted", 0.03, **_SLOW, ingredients=_FITTED),
    "segsnr_fitted": _ours("segmental_snr:fitted_segmental_snr", "segSNR, gain-fitted (dB)", 0.1, everyday=True),
    "nb_pesq": _ours("pesq:nb_pesq", "NB-PESQ, raw", 0.03, slow=True, sample_rate=16000, pareto=2),
    "sdr": _ours("sdr:sdr", "SDR (dB)", 0.1, separation=4),
    "si_sdri": _ours("", "SI-SDRi (dB)", 0.1, improvement_of="si_sdr", separation=1),
    "sdri": _ours("", "SDRi (dB)", 0.1, improvement_of="sdr", separation=2, pareto=5),
    "dnsmos": _dnsmos("overall", "OVRL"),
    "dnsmos_sig": _dnsmos("signal", "SIG"),
    "dnsmos_bak": _dnsmos("background", "BAK"),
    "estoi": _ours("stoi:estoi", "ESTOI", 0.005, slow=True),
    "lsd": _ours("log_spectral_distance:log_spectral_distance", "LSD (dB)", 0.1, lower=True, rescaled=True),
    "speaker_similarity": _embedding(
        "speaker_similarity", "speaker similarity", 0.01, "a speaker model, such as microsoft/wavlm-base-plus-sv"
    ),
    "speech_bert_score": _embedding(
        "speech_bert_score", "SpeechBERTScore", 0.005, "a speech model, such as microsoft/wavlm-large"
    ),
    # Of features of a self-supervised model (trainables/ssl/representation.py), at its last layer.
    "ssl_distance": _measured("SSL distance", 0.1, lower=True),
    "ssl_cosine": _measured("SSL cosine", 0.005),
    "shift_excess": _measured("position-shift excess", 0.1, lower=True),
    "shift_floor": _measured("position-shift floor", 0.1, lower=True),
    "speed_error": _measured("speed error", 0.002, lower=True),
    "shortcut_index": _measured("position shortcut index", 0.005, lower=True),
    **{f"ssl_distance_{layer}": _measured(f"SSL distance, layer {layer}", 0.1, lower=True) for layer in _LAYERS},
    **{f"ssl_cosine_{layer}": _measured(f"SSL cosine, layer {layer}", 0.005) for layer in _LAYERS},
    "wer": _error_rate("wer", "words", 0.5),
    "cer": _error_rate("cer", "characters", 0.2),
    "wer_own": _error_rate("wer_own", "words", 0.5),
    "cer_own": _error_rate("cer_own", "characters", 0.2),
}
METRICS = Registry("metrics", MetricInfo, _BUILT_IN)

# An improvement is the metric of the estimate minus that of the unprocessed mixture.
IMPROVEMENTS = {name: info.improvement_of for name, info in _BUILT_IN.items() if info.improvement_of}


def shown_in(place: str, metrics: Mapping[str, MetricInfo] | None = None) -> tuple[str, ...]:
    """The metrics that have a place in "separation", "listening" or "pareto", in order."""
    found = METRICS.usable() if metrics is None else metrics
    return tuple(sorted((n for n in found if getattr(found[n], place)), key=lambda n: getattr(found[n], place)))


# What a finished job is scored by unless its space says otherwise: one voice in noise, and several voices.
EVERYDAY = tuple(name for name, info in _BUILT_IN.items() if info.everyday)
SEPARATION = shown_in("separation", _BUILT_IN)


def known_metrics(names: Iterable[str] | None) -> tuple[str, ...]:
    """`names` as a tuple (None = the everyday ones); raises UserError at the first unknown one."""
    chosen = EVERYDAY if names is None else tuple(names)
    for name in chosen:
        if name not in METRICS:
            raise UserError(f"unknown metric {name!r}: choose from {', '.join(METRICS)}")
    return chosen


def merit(metric: str, value: float) -> float:
    """The value turned so that more is better; turned twice, it is the value again."""
    return -value if METRICS[metric].lower else value


def with_shared_models(names: Iterable[str], models: Mapping[str, str]) -> dict[str, str]:
    """`models`, metric -> place, with one for each of the metrics `names` that needs one.

    A metric without a model of its own takes the one of a metric that loads its models in the same way.
    Raises UserError where one is missing, or given for a metric that takes none.
    """
    whole = dict(models)
    for name in models:
        if name not in names or not METRICS[name].model:
            raise UserError(f"metric {name!r} takes no model: leave out {models[name]!r}")
    for name in names:
        info = METRICS[name]
        if not info.model or name in whole:
            continue
        shared = {place for other, place in models.items() if METRICS[other].loader == info.loader}
        if len(shared) != 1:
            raise UserError(f"metric {name!r} needs {info.model}: give --also {name}=PLACE")
        whole[name] = shared.pop()
    return whole


def require_installed(names: Iterable[str]) -> None:
    """Raises UserError where a metric needs a package that is not there."""
    for name in names:
        missing = [package for package in METRICS[name].packages if find_spec(package) is None]
        if missing:
            wanted = " ".join(missing) if METRICS.added_by(name) else f'"speech-sweep[{METRICS[name].extra or name}]"'
            raise UserError(
                f"metric {name!r} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
                f"installed: pip install {wanted} here and on every worker, or leave it out"
            )
