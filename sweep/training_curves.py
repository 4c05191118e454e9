"""What separation finalists did while they learned: validation scores and label switches, per candidate.

From the study's reports, so any finished or running sweep can be asked. Differences from the baseline are paired
by seed; their intervals are Student's t over seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sweep.study import JobRecord

SWITCH, SYMMETRIC, SCORE = "switch_percent", "switch_symmetric_percent", "score"

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """A candidate's finalists: one row a seed, one column a round; NaN where a report lacks the value."""

    label: str
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    values: Mapping[str, Curve]  # score, switch_percent, switch_symmetric_percent


@dataclass(frozen=True)
class SwitchRow:
    """A candidate's mean symmetric switch rate over all rounds (%), and its distance from the baseline's."""

    label: str
    switch: float
    symmetric: float
    difference: float | None  # symmetric, minus the baseline's
    interval: tuple[float, float] | None  # 95 %, over seeds
    rounds_to_baseline: float | None  # the first round whose mean score reaches the baseline's best


def curves_of(records: Sequence[JobRecord]) -> list[Curves]:
    """One entry per candidate, in the records' order, from finalists that have ended."""
    finished = [record for record in records if record.state == "complete"]
    labels = dict.fromkeys(record.job.candidate for record in finished)
    return [_curves(label, [r for r in finished if r.job.candidate == label]) for label in labels]


def switch_table(curves: Sequence[Curves], baseline: str) -> list[SwitchRow]:
    """One row per candidate; the first report of a job counts too: it compares with the network at the start."""
    reference = next((each for each in curves if each.label == baseline), None)
    return [_row(each, reference) for each in curves]


def plot_curves(curves: Sequence[Curves], path: str | PathLike[str], metric_title: str) -> None:
    """Write a PNG: mean validation score by step above, mean switch rate by step below (Fig. 2 of the paper)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    for each in curves:
        above.plot(each.steps, each.values[SCORE].mean(axis=0), marker=".", label=each.label)
        below.plot(each.steps, each.values[SWITCH].mean(axis=0), marker=".", label=each.label)
    above.set_ylabel(f"{metric_title} on valid")
    below.set_ylabel("label switches (%)")
    below.set_xlabel("step")
    below.set_ylim(bottom=0)
    above.legend(fontsize="small", frameon=False)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


def _curves(label: str, records: Sequence[JobRecord]) -> Curves:
    steps = tuple(report.step for report in records[0].reports)
    return Curves(
        label=label,
        seeds=tuple(record.job.number for record in records),
        steps=steps,
        values={
            SCORE: np.array([[report.score for report in record.reports] for record in records]),
            SWITCH: _metric(records, SWITCH),
            SYMMETRIC: _metric(records, SYMMETRIC),
        },
    )


def _metric(records: Sequence[JobRecord], name: str) -> Curve:
    return np.array([[report.metrics.get(name, np.nan) for report in r.reports] for r in records])


def _row(curves: Curves, reference: Curves | None) -> SwitchRow:
    symmetric = curves.values[SYMMETRIC].mean(axis=1)
    difference = interval = None
    if reference is not None and reference.label != curves.label:
        paired = _paired(curves, reference)
        difference = float(paired.mean()) if len(paired) else None
        interval = _t_interval(paired)
    return SwitchRow(
        label=curves.label,
        switch=float(curves.values[SWITCH].mean()),
        symmetric=float(symmetric.mean()),
        difference=difference,
        interval=interval,
        rounds_to_baseline=None if reference is None else _rounds_to(curves, reference),
    )


def _paired(curves: Curves, reference: Curves) -> Curve:
    """Mean symmetric rate minus the reference's, for every seed that both have."""
    ours, theirs = (
        dict(zip(each.seeds, each.values[SYMMETRIC].mean(axis=1), strict=True))
        for each in (curves, reference)
    )
    return np.array([ours[seed] - theirs[seed] for seed in curves.seeds if seed in theirs])


def _t_interval(values: Curve) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def _rounds_to(curves: Curves, reference: Curves) -> float | None:
    wanted = reference.values[SCORE].mean(axis=0).max()
    reached = np.flatnonzero(curves.values[SCORE].mean(axis=0) >= wanted)
    return float(reached[0] + 1) if len(reached) else None


def as_json(rows: Sequence[SwitchRow]) -> list[dict[str, Any]]:
    """Plain values of a table's rows."""
    return [vars(row) | {"interval": list(row.interval) if row.interval else None} for row in rows]
