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
    (samples,) and Hz, which returns a float and raises `Unscorable` where there is none. With `ingredients`, metrics or
    `INGREDIENTS`, it is a formula of their values in that order.
    `lower`: less is better, as for error rates.
    `improvement_of`: the metric whose gain over the unprocessed mixture this one is; it has no function.
    `margin`: two candidates whose difference surely lies within +-margin count as equivalent.
    `everyday`: every space of one voice in noise is scored by it; else only what names it.
    `packages`: what must be installed for it beyond our own dependencies, by the extra of the metric's name.
    `separation`, `listening`, `pareto`: its place (1 = first) among what separation is scored by, what the listening
    page shows of a clip, and what the Pareto figure sets against the deciding metric; 0 = not there.
    """

    function: str = ""
    ingredients: tuple[str, ...] = ()
    improvement_of: str | None = None
    sample_rate: int | None = None  # Hz, the only one it is defined at; None = any
    lower: bool = False
    title: str
    unit: str = ""  # "" where the metric is a pure number
    margin: float
    everyday: bool = False
    packages: tuple[str, ...] = ()
    separation: int = 0
    listening: int = 0
    pareto: int = 0


def _ours(function: str, title: str, margin: float, **more: Any) -> MetricInfo:
    unit = "dB" if title.endswith("(dB)") else ""
    path = f"{__package__}.{function}" if function else ""
    return MetricInfo(function=path, title=title, margin=margin, unit=unit, **more)


# What some metrics are made of without being one.
INGREDIENTS = {
    "llr": f"{__package__}.log_likelihood_ratio:log_likelihood_ratio",
    "wss": f"{__package__}.weighted_spectral_slope:weighted_spectral_slope",
}
_SIGNAL, _BACKGROUND = ("wb_pesq", "llr", "wss"), ("wb_pesq", "wss", "segsnr")
# Of the gain-fitted CBAK only the segmental SNR differs: PESQ and WSS don't hear the level.
_FITTED = ("wb_pesq", "wss", "segsnr_fitted")

_BUILT_IN: dict[str, MetricInfo] = {
    "wb_pesq": _ours("pesq:wb_pesq", "WB-PESQ", 0.03, everyday=True, sample_rate=16000, listening=1, pareto=1),
    "stoi": _ours("stoi:stoi", "STOI", 0.003, everyday=True, listening=3, pareto=4),
    "csig": _ours("composite:csig", "CSIG", 0.03, everyday=True, ingredients=_SIGNAL),
    "cbak": _ours("composite:cbak", "CBAK", 0.03, everyday=True, ingredients=_BACKGROUND),
    "covl": _ours("composite:covl", "COVL", 0.03, everyday=True, ingredients=_SIGNAL),
    "si_sdr": _ours("si_sdr:si_sdr", "SI-SDR (dB)", 0.1, everyday=True, separation=3, listening=2, pareto=3),
    "segsnr": _ours("segmental_snr:segmental_snr", "segSNR (dB)", 0.1, everyday=True),
    "cbak_fitted": _ours("composite:cbak", "CBAK, gain-fitted", 0.03, everyday=True, ingredients=_FITTED),
    "segsnr_fitted": _ours("segmental_snr:fitted_segmental_snr", "segSNR, gain-fitted (dB)", 0.1, everyday=True),
    "nb_pesq": _ours("pesq:nb_pesq", "NB-PESQ, raw", 0.03, sample_rate=16000, pareto=2),
    "sdr": _ours("sdr:sdr", "SDR (dB)", 0.1, separation=4),
    "si_sdri": _ours("", "SI-SDRi (dB)", 0.1, improvement_of="si_sdr", separation=1),
    "sdri": _ours("", "SDRi (dB)", 0.1, improvement_of="sdr", separation=2, pareto=5),
    "dnsmos": _ours("dnsmos:dnsmos", "DNSMOS OVRL", 0.03, sample_rate=16000, packages=("speechmos", "onnxruntime")),
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


def require_installed(names: Iterable[str]) -> None:
    """Raises UserError where a metric needs a package that is not there."""
    for name in names:
        missing = [package for package in METRICS[name].packages if find_spec(package) is None]
        if missing:
            wanted = " ".join(missing) if METRICS.added_by(name) else f'"speech-sweep[{name}]"'
            raise UserError(
                f"metric {name!r} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
                f"installed: pip install {wanted} here and on every worker, or leave it out"
            )
