"""Error rates over the whole test set: all errors over all words, as papers give them.

The verdict's means count every utterance (or speaker) alike; here an utterance counts by its words or characters. On
the utterances that every finalist and the noisy input scored, over all seeds. These rates decide nothing and have no
interval.
"""

from collections.abc import Iterator

import pandas as pd

from sweep.plan.plan import GroupPlan, Plan
from sweep.verdict.paired_scores import NOISY, group_rows
from sweep.verdict.result import CorpusRates
from trainables.metrics.catalogue import METRICS


def corpus_rates(plan: Plan, rows: pd.DataFrame) -> list[CorpusRates]:
    """One entry per group and candidate, the noisy input first: {"rates": {metric: rate}}; none without weights."""
    if "weight" not in rows:
        return []
    return [entry for group in plan.groups for entry in _of_group(plan, group, group_rows(rows, group.name))]


def _of_group(plan: Plan, group: GroupPlan, rows: pd.DataFrame) -> Iterator[CorpusRates]:
    metrics = [metric for metric in plan.scored if METRICS[metric].pooled]
    scored = {metric: _scored_by_all(rows[rows["metric"].eq(metric)]) for metric in metrics}
    for label in (NOISY, *(candidate.label for candidate in group.candidates)):
        mine = {metric: found[found["candidate"].eq(label)] for metric, found in scored.items()}
        rates = {
            metric: float((found["value"] * found["weight"]).sum() / found["weight"].sum())
            for metric, found in mine.items()
            if len(found)
        }
        if rates:
            yield {"group": group.name, "candidate": label, "rates": rates}


def _scored_by_all(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the utterances that every job of these scored."""
    fine = rows[rows["status"].eq("ok")]
    jobs = fine.groupby("utterance")["job"].nunique()
    return fine[fine["utterance"].isin(jobs.index[jobs.eq(rows["job"].nunique())])]
