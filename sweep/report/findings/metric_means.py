"""Every metric's mean on test, candidate by candidate, with what the paper reports of the same upstream.

Means over seeds and over those utterances that every candidate, every seed and the noisy input could be scored on,
metric by metric. Shown, never decided by.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from sweep.plan.plan import Plan
from sweep.report.published_table import PUBLISHED_METRICS, published_rows
from trainables.inference import NOISY


def metric_means(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per group and candidate, the noisy input first: {"scores": {metric: mean}}.

    Where the group is an upstream that the paper has, its rows follow as entries with "published": true.
    """
    table = pd.DataFrame(rows)
    return [entry for group in plan.groups for entry in _of_group(table, plan, group.name)]


def _of_group(table: pd.DataFrame, plan: Plan, name: str) -> Iterator[dict[str, Any]]:
    group = plan.group_plan(name)
    mine = table[table["group"].eq(name) | table["candidate"].eq(NOISY)]
    means = {metric: _means(mine, metric) for metric in plan.scored}
    for label in (NOISY, *(candidate.label for candidate in group.candidates)):
        scores = {metric: by_label[label] for metric, by_label in means.items() if label in by_label}
        if scores:
            yield {"group": name, "candidate": label, "published": False, "scores": scores}
    for row in published_rows(group.group.get("upstream", "")):
        scores = {metric: float(row[metric]) for metric in PUBLISHED_METRICS}
        yield {
            "group": name,
            "candidate": f"{row['system']} (published)",
            "published": True,
            "scores": scores,
        }


def _means(rows: pd.DataFrame, metric: str) -> dict[str, float]:
    """Candidate -> mean over the utterances that all could be scored on; one without any score is left out."""
    scored = rows[rows["metric"].eq(metric) & rows["status"].eq("ok")]
    complete = scored.pivot_table("value", "utterance", ["candidate", "seed"]).dropna()
    if complete.empty:
        return {}
    by_label = complete.mean().groupby(level="candidate").mean()
    return {str(label): float(mean) for label, mean in by_label.items()}
