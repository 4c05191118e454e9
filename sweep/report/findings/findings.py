"""What a sweep shows beside its verdict: all metrics, scores by SNR, curves, label switches, shared training, alarms.

None of it decides anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sweep.plan.plan import Plan
from sweep.report.findings.label_switches import label_switches
from sweep.report.findings.learning_curves import learning_curves
from sweep.report.findings.metric_means import metric_means
from sweep.report.findings.snr_breakdown import snr_breakdown
from sweep.study.study import JobRecord
from trainables.job.stages import Stage


def findings(plan: Plan, rows: Sequence[Mapping[str, Any]], records: Sequence[JobRecord]) -> dict[str, Any]:
    """The further keys of a result; `rows` are of the test split, `records` of all jobs."""
    return {
        "metrics": metric_means(plan, rows),
        "by_snr": snr_breakdown(plan, rows),
        "curves": learning_curves(plan, records),
        "label_switches": label_switches(plan, records),
        "shared_training": shared_training(plan, records),
        "collapse": collapse(records, plan.method_info().alarm),
    }


def shared_training(plan: Plan, records: Sequence[JobRecord]) -> dict[str, int] | None:
    """Prefixes computed, the search trials that went on from one, and the steps that saved; None without any."""
    found = (plan.assignment(record.job, record.nuisance, record.attempt).prefix for record in records)
    prefixes = [Stage.from_json(prefix) for prefix in found if prefix]
    if not prefixes:
        return None
    steps = {stage.key: stage.config["steps"] for stage in prefixes}
    taken = sum(stage.config["steps"] for stage in prefixes)
    return {"prefixes": len(steps), "trials": len(prefixes), "steps_saved": taken - sum(steps.values())}


def collapse(records: Sequence[JobRecord], alarm: str | None) -> dict[str, Any] | None:
    """How many trials were watched to their end, and which of them ever raised the alarm; None without one.

    `alarm`: a metric of the reports that is above 0 where training went wrong (`MethodInfo.alarm`).
    """
    complete = [record for record in records if record.state == "complete"]
    if alarm is None:
        return None
    watched = [r for r in complete if any(alarm in report.metrics for report in r.reports)]
    if not watched:
        return None
    alarmed = [r.job.path for r in watched if any(report.metrics.get(alarm, 0) > 0 for report in r.reports)]
    return {"watched": len(watched), "alarmed": alarmed}
