"""How often PIT changed its mind while each candidate was trained, from the finalists' reports.

A method that counts them (`MethodInfo.counts_label_switches`) reports after every round which share of fixed training
mixtures changed its assignment of outputs to voices, and the symmetric share, which does not count a swap of all
outputs at once. The distance from the baseline is of the symmetric share, averaged over
all rounds and paired by seed. Shown, never decided by.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from sweep.plan.plan import Plan
from sweep.report.findings.learning_curves import epoch_at, mean_and_interval
from sweep.study.study import JobRecord

_SWITCH, _SYMMETRIC = "switch_percent", "switch_symmetric_percent"
_PANEL_INCHES = (6.4, 3.2)


def label_switches(plan: Plan, records: Iterable[JobRecord]) -> list[dict[str, Any]]:
    """One entry per group and candidate; none for methods that have no labels to switch.

    Each has steps, epochs, switch and symmetric (% in each round, means over seeds), mean_switch and
    mean_symmetric (over all rounds), difference and difference_interval (against the baseline).
    """
    if not plan.method_info().counts_label_switches:
        return []
    finished = [r for r in records if r.job.phase == "final" and r.state == "complete" and _watched(r)]
    return [entry for group in plan.groups for entry in _of_group(plan, group.name, finished)]


def _watched(record: JobRecord) -> bool:
    return bool(record.reports) and all(_SYMMETRIC in report.metrics for report in record.reports)


def _of_group(plan: Plan, group: str, records: Sequence[JobRecord]) -> Iterator[dict[str, Any]]:
    def of(label: str) -> list[JobRecord]:
        return [r for r in records if (r.job.group, r.job.candidate) == (group, label)]

    baseline = _symmetric_by_seed(of(plan.space_object().baseline))
    for candidate in plan.group_plan(group).candidates:
        mine = of(candidate.label)
        if mine:
            yield {"group": group, "candidate": candidate.label, **_entry(plan, mine, baseline)}


def _entry(plan: Plan, records: Sequence[JobRecord], baseline: Mapping[int, float]) -> dict[str, Any]:
    steps = [report.step for report in records[0].reports]
    switch, symmetric = _curve(records, _SWITCH), _curve(records, _SYMMETRIC)
    by_seed = _symmetric_by_seed(records)
    difference, interval = mean_and_interval(
        [by_seed[seed] - baseline[seed] for seed in by_seed if seed in baseline]
    )
    return {
        "seeds": len(by_seed),
        "steps": steps,
        "epochs": [epoch_at(plan, step) for step in steps],
        "switch": switch,
        "symmetric": symmetric,
        "mean_switch": float(np.mean(switch)),
        "mean_symmetric": float(np.mean(symmetric)),
        "difference": difference,
        "difference_interval": interval,
    }


def _curve(records: Sequence[JobRecord], name: str) -> list[float]:
    """The mean over jobs, round by round."""
    return np.mean(
        [[report.metrics[name] for report in record.reports] for record in records], axis=0
    ).tolist()


def _symmetric_by_seed(records: Sequence[JobRecord]) -> dict[int, float]:
    """Seed -> the mean over its rounds."""
    return {record.job.number: float(np.mean(_curve([record], _SYMMETRIC))) for record in records}


def switch_plot(switches: Sequence[Mapping[str, Any]], path: str | PathLike[str]) -> None:
    """Write a PNG: a panel per group, switches per round in a line per candidate (the paper's Fig. 2)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(entry["group"] for entry in switches))
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * max(len(groups), 1), height), layout="constrained")
    FigureCanvasAgg(figure)
    for column, group in enumerate(groups):
        axes = figure.add_subplot(1, len(groups), column + 1)
        for entry in (entry for entry in switches if entry["group"] == group):
            axes.plot(entry["epochs"], entry["switch"], marker=".", label=entry["candidate"], linewidth=1.4)
        axes.set_title(group, fontsize="medium")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False)
    figure.supylabel("label switches (%), mean over seeds", fontsize="medium")
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
