"""How often PIT changed its label assignment while each candidate was trained, from the finalists' reports.

A method that counts them (`MethodInfo.counts_label_switches`) reports after every round the share of fixed training
mixtures whose assignment of outputs to voices has changed, and the symmetric share, which does not count a swap of all
outputs at once. The difference from the baseline is that of the symmetric share, averaged over all rounds and paired by
seed. It decides nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from sweep.plan.plan import Plan
from sweep.report.findings.learning_curves import epoch_counter, mean_and_interval, switch_epochs
from sweep.study.study import JobRecord
from sweep.verdict.result import LabelSwitches

_SWITCH, _SYMMETRIC = "switch_percent", "switch_symmetric_percent"


def label_switches(plan: Plan, records: Iterable[JobRecord]) -> list[LabelSwitches]:
    """One entry per group and candidate; none for methods that have no labels to switch."""
    if not any(info.counts_label_switches for info in plan.methods().values()):
        return []
    finished = [r for r in records if r.job.phase == "final" and r.state == "complete" and _watched(r)]
    return [entry for group in plan.groups for entry in _of_group(plan, group.name, finished)]


def _watched(record: JobRecord) -> bool:
    return bool(record.reports) and all(_SYMMETRIC in report.metrics for report in record.reports)


def _of_group(plan: Plan, group: str, records: Sequence[JobRecord]) -> Iterator[LabelSwitches]:
    def of(label: str) -> list[JobRecord]:
        return [r for r in records if (r.job.group, r.job.candidate) == (group, label)]

    baseline = _symmetric_by_seed(of(plan.space_object().baseline))
    for candidate in plan.group_plan(group).candidates:
        mine = of(candidate.label)
        if mine:
            yield _entry(plan, candidate.label, mine, baseline)


def _entry(plan: Plan, label: str, records: Sequence[JobRecord], baseline: Mapping[int, float]) -> LabelSwitches:
    steps = [report.step for report in records[0].reports]
    epochs = epoch_counter(plan, records[0].job.group, plan.typical_config(records[0].job.group))
    switch, symmetric = _curve(records, _SWITCH), _curve(records, _SYMMETRIC)
    by_seed = _symmetric_by_seed(records)
    difference, interval = mean_and_interval([by_seed[seed] - baseline[seed] for seed in by_seed if seed in baseline])
    return {
        "group": records[0].job.group,
        "candidate": label,
        "seeds": len(by_seed),
        "steps": steps,
        "epochs": [epochs(step) for step in steps],
        "switch": switch,
        "symmetric": symmetric,
        "phases": switch_epochs(plan, records[0].job.group, label, records[0].nuisance),
        "mean_switch": float(np.mean(switch)),
        "mean_symmetric": float(np.mean(symmetric)),
        "difference": difference,
        "difference_interval": interval,
    }


def _curve(records: Sequence[JobRecord], name: str) -> list[float]:
    """The mean over jobs, round by round."""
    return np.mean([[report.metrics[name] for report in record.reports] for record in records], axis=0).tolist()


def _symmetric_by_seed(records: Sequence[JobRecord]) -> dict[int, float]:
    """Seed -> the mean over its rounds."""
    return {record.job.number: float(np.mean(_curve([record], _SYMMETRIC))) for record in records}
