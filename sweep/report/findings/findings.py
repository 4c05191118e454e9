"""Findings that decide nothing: metrics and where they disagree, scores by SNR, curves, shared training, alarms."""

from collections.abc import Collection, Mapping, Sequence

from sweep.plan.plan import Plan
from sweep.report.findings.label_switches import label_switches
from sweep.report.findings.learning_curves import learning_curves
from sweep.report.findings.metric_leaders import metric_leaders
from sweep.report.findings.metric_means import Scores, metric_means
from sweep.report.findings.snr_breakdown import snr_breakdown
from sweep.study.study import JobRecord
from sweep.verdict.result import Collapse, Findings, SharedTraining
from trainables.job.stages import Stage


def findings(plan: Plan, scores: Scores, leaders: Mapping[str, str], records: Sequence[JobRecord]) -> Findings:
    """The further keys of a result; `scores` are of the test split, `records` of all jobs."""
    return {
        "metrics": metric_means(plan, scores, leaders),
        "metric_leaders": metric_leaders(plan, scores, leaders),
        "by_snr": snr_breakdown(plan, scores, leaders),
        "curves": learning_curves(plan, records),
        "label_switches": label_switches(plan, records),
        "shared_training": shared_training(plan, records),
        "collapse": collapse(records, [info.alarm for info in plan.methods().values() if info.alarm]),
    }


def shared_training(plan: Plan, records: Sequence[JobRecord]) -> SharedTraining | None:
    """Prefixes computed, search trials that started from one, and the steps saved; None without any."""
    found = (plan.assignment(record.job, record.nuisance, record.attempt).prefix for record in records)
    prefixes = [Stage.from_json(prefix) for prefix in found if prefix]
    if not prefixes:
        return None
    steps = {stage.key: stage.config["steps"] for stage in prefixes}
    taken = sum(stage.config["steps"] for stage in prefixes)
    return {"prefixes": len(steps), "trials": len(prefixes), "steps_saved": taken - sum(steps.values())}


def collapse(records: Sequence[JobRecord], alarms: Collection[str]) -> Collapse | None:
    """Complete trials with a monitor, and those that ever raised its alarm; None without a monitor.

    `alarms`: metrics of the reports that are above 0 where training went wrong (`MethodInfo.alarm`).
    """
    complete = [record for record in records if record.state == "complete"]
    watched = [r for r in complete if any(alarm in report.metrics for report in r.reports for alarm in alarms)]
    if not watched:
        return None
    alarmed = [
        r.job.path for r in watched if any(each.metrics.get(alarm, 0) > 0 for each in r.reports for alarm in alarms)
    ]
    return {"watched": len(watched), "alarmed": alarmed}
