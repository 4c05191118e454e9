"""The metrics by name: what a table calls them and which difference is worth a claim.

Imports nothing heavy: plans, dry runs and leaderboards read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from trainables.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """How a metric is shown and compared.

    `margin`: two candidates whose difference surely lies within +-margin count as equivalent.
    `everyday`: False where only a space that asks for it is scored with it.
    """

    title: str
    unit: str  # "" where the metric is a pure number
    higher_is_better: bool = True
    margin: float
    everyday: bool = True


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
}

EVERYDAY = tuple(name for name, info in METRICS.items() if info.everyday)


def known_metrics(names: Iterable[str] | None) -> tuple[str, ...]:
    """`names` as a tuple (None = the everyday ones); raises UserError at the first unknown one."""
    chosen = EVERYDAY if names is None else tuple(names)
    for name in chosen:
        if name not in METRICS:
            raise UserError(f"unknown metric {name!r}: choose from {', '.join(METRICS)}")
    return chosen
