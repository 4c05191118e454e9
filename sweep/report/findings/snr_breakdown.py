"""Test scores, SNR by SNR where the plan lists SNRs, with what the paper reports beside them.

Means over seeds and utterances, on those utterances alone that every candidate, seed and the noisy input could be
scored on, so that rows of a table compare. Shown, never decided by.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from sweep.plan.plan import Plan
from sweep.report.published import published_scores
from trainables.inference import NOISY

SHOWN = ("si_sdri", "sdri", "si_sdr", "wb_pesq", "nb_pesq", "stoi")


def snr_breakdown(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per group, metric and candidate: {"scores": {"-7.5": mean, ...}, "mean", "utterances"}.

    Published systems follow as entries with "published": true. Without a list of SNRs, "scores" are empty; where
    nothing was published either, so is the whole.
    """
    if not (plan.data.evaluation_snrs or plan.space_object().published):
        return []
    table = pd.DataFrame(rows)
    scored = [metric for metric in SHOWN if metric in plan.scored]
    entries = [
        entry
        for group in plan.groups
        for metric in scored
        for entry in _of_metric(table, plan, group.name, metric)
    ]
    return entries + list(_published(plan, scored))


def _of_metric(table: pd.DataFrame, plan: Plan, group: str, metric: str) -> Iterator[dict[str, Any]]:
    mine = table[(table["group"].eq(group) | table["candidate"].eq(NOISY)) & table["metric"].eq(metric)]
    cells: Any = mine.set_index(["snr_db", "utterance", "candidate", "seed"])["value"].unstack(
        ["candidate", "seed"]
    )
    complete = cells.dropna()
    for candidate in (NOISY, *(c.label for c in plan.group_plan(group).candidates)):
        if candidate not in complete.columns.get_level_values("candidate") or complete.empty:
            continue
        values = complete[candidate].mean(axis="columns")
        by_snr = values.groupby(level="snr_db").mean() if plan.data.evaluation_snrs else values.iloc[:0]
        yield {
            "group": group,
            "metric": metric,
            "candidate": candidate,
            "published": False,
            "scores": {f"{snr:g}": float(score) for snr, score in by_snr.items()},
            "mean": float((values if by_snr.empty else by_snr).mean()),
            "utterances": len(values),
            "left_out": len(cells) - len(complete),
        }


def _published(plan: Plan, metrics: Sequence[str]) -> Iterator[dict[str, Any]]:
    paper = plan.space_object().published
    scores = published_scores(paper) if paper else ()
    systems = dict.fromkeys((score.metric, score.system) for score in scores if score.metric in metrics)
    for metric, system in systems:
        mine = [score for score in scores if (score.metric, score.system) == (metric, system)]
        yield {
            "group": None,
            "metric": metric,
            "candidate": f"{system} (published)",
            "published": True,
            "scores": {f"{score.snr_db:g}": score.value for score in mine if score.snr_db is not None},
            "mean": next((score.value for score in mine if score.snr_db is None), None),
        }
