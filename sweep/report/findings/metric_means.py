"""Every metric's mean on test, candidate by candidate, with the paper's figures for the same upstream.

Each is the mean that the verdict would take of that metric (`sweep.verdict.means`). They decide nothing.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from sweep.plan.plan import GroupPlan, Plan
from sweep.report.published import published_rows
from sweep.report.published.counterparts import FEATURE_METRICS, FIGURES, rows_of_upstream
from sweep.verdict.means import mean_scores
from sweep.verdict.paired_scores import NOISY, PairedScores, group_rows, paired_scores
from sweep.verdict.result import MetricMeans
from trainables.metrics.catalogue import METRICS

Scores = Mapping[tuple[str, str], PairedScores]  # by group and metric


def scores_of(plan: Plan, rows: pd.DataFrame) -> Scores:
    """Every group's scores in every metric of the plan; `rows` are the finalists' of one split."""
    by_group = {group.name: group_rows(rows, group.name) for group in plan.groups}
    return {
        (group.name, metric): paired_scores(
            by_group[group.name],
            metric,
            [candidate.label for candidate in group.candidates],
            plan.seeds,
            apart=group.apart,
        )
        for group in plan.groups
        for metric in plan.scored
    }


def metric_means(plan: Plan, scores: Scores, leaders: Mapping[str, str]) -> list[MetricMeans]:
    """One entry per group and candidate, the noisy input first: {"scores": {metric: mean}}, and "utterances".

    The rows of the paper on feature normalization follow as entries with "published": true: all systems where the space
    names it, else where layers are normalized those of the group's upstream.
    """
    return [
        _computed_on(entry, plan, scores)
        for group in plan.groups
        for entry in (*_of_group(group, plan.scored, scores, leaders[group.name]), *_published(plan, group))
    ]


def _computed_on(entry: MetricMeans, plan: Plan, scores: Scores) -> MetricMeans:
    """With how many utterances the slow metrics were computed on, where the plan spares them."""
    if plan.slow_clips is None or entry["published"]:
        return entry
    slow = [metric for metric in entry["scores"] if METRICS[metric].slow]
    return {**entry, "utterances": {metric: len(scores[entry["group"], metric].utterances) for metric in slow}}


def _of_group(group: GroupPlan, metrics: tuple[str, ...], scores: Scores, leader: str) -> Iterator[MetricMeans]:
    means = {metric: mean_scores(scores[group.name, metric], leader) for metric in metrics}
    for label in (NOISY, *(candidate.label for candidate in group.candidates)):
        found = {metric: by_label[label] for metric, by_label in means.items() if label in by_label}
        if found:
            yield {"group": group.name, "candidate": label, "published": False, "scores": found}


def _published(plan: Plan, group: GroupPlan) -> Iterator[MetricMeans]:
    if plan.space_object().published == FIGURES:
        rows = [row for row in published_rows(FIGURES) if row["table"] == "1"]
    elif any("norm_layers" in candidate.config for candidate in group.candidates):
        rows = rows_of_upstream(group.group.get("upstream", ""))
    else:  # another question than that of the paper
        return
    for row in rows:
        yield {
            "group": group.name,
            "candidate": f"{row['system']} (published)",
            "published": True,
            "scores": {metric: float(row[metric]) for metric in FEATURE_METRICS},
        }
