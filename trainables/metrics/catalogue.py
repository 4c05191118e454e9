"""The metrics by name: what a table calls them and which difference is worth a claim.

Imports nothing heavy: plans, dry runs and leaderboards read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from trainables.base.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """How a metric is shown and compared.

    `margin`: two candidates whose difference surely lies within +-margin count as equivalent.
    `everyday`: False where only a space (or `--also`) that asks for it is scored with it.
    `packages`: what must be installed for it beyond our own dependencies, by the extra of the metric's name.
    """

    title: str
    unit: str  # "" where the metric is a pure number
    higher_is_better: bool = True
    margin: float
    everyday: bool = True
    packages: tuple[str, ...] = ()


METRICS: dict[str, MetricInfo] = {
    "wb_pesq": MetricInfo(title="WB-PESQ", unit="", margin=0.03),
    "stoi": MetricInfo(title="STOI", unit="", margin=0.003),
    "csig": MetricInfo(title="CSIG", unit="", margin=0.03),
    "cbak": MetricInfo(title="CBAK", unit="", margin=0.03),
    "covl": MetricInfo(title="COVL", unit="", margin=0.03),
    "si_sdr": MetricInfo(title="SI-SDR (dB)", unit="dB", margin=0.1),
    "segsnr": MetricInfo(title="segSNR (dB)", unit="dB", margin=0.1),
    "cbak_fitted": MetricInfo(title="CBAK, gain-fitted", unit="", margin=0.03),
    "segsnr_fitted": MetricInfo(title="segSNR, gain-fitted (dB)", unit="dB", margin=0.1),
    "nb_pesq": MetricInfo(title="NB-PESQ, raw", unit="", margin=0.03, everyday=False),
    "sdr": MetricInfo(title="SDR (dB)", unit="dB", margin=0.1, everyday=False),
    "si_sdri": MetricInfo(title="SI-SDRi (dB)", unit="dB", margin=0.1, everyday=False),
    "sdri": MetricInfo(title="SDRi (dB)", unit="dB", margin=0.1, everyday=False),
    "dnsmos": MetricInfo(
        title="DNSMOS OVRL", unit="", margin=0.03, everyday=False, packages=("speechmos", "onnxruntime")
    ),
}

# An improvement is the metric of the estimate minus that of the unprocessed mixture.
IMPROVEMENTS = {"si_sdri": "si_sdr", "sdri": "sdr"}

# What a finished job is scored by, unless told otherwise: one voice in noise, and several voices.
EVERYDAY = tuple(name for name, info in METRICS.items() if info.everyday)
SEPARATION = ("si_sdri", "sdri", "si_sdr", "sdr")


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
            raise UserError(
                f"metric {name!r} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
                f'installed: pip install "speech-sweep[{name}]" here and on every worker, or leave it out'
            )
