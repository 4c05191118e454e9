"""The finalists' test scores split by what they were scored on, or by seed: `leaderboard.py --by`.

Means as in the leaderboard, of the complete candidates and restricted to one noise type, SNR, speaker or seed. They
decide nothing.
"""

from typing import Any

import pandas as pd

from sweep.plan.plan import Plan
from sweep.report.cells import BREAKDOWNS, Row, parts_table
from sweep.report.output_formats import View
from sweep.verdict.means import parts
from sweep.verdict.paired_scores import PairedScores, group_rows, paired_scores
from trainables.metrics.catalogue import METRICS


def breakdown(paired: PairedScores, field: str) -> list[dict[str, Any]]:
    """One entry per value of `field`: value, utterances, leader there, and scores by candidate and of "noisy"."""
    column = {"snr": "snr_db"}.get(field, field)  # of the rows
    return [
        {"value": part.value, "utterances": part.n_utterances, "leader": part.leader, "scores": part.means}
        for part in parts(paired, paired.complete, column)
    ]


def breakdown_view(rows: pd.DataFrame, plan: Plan, metric: str, field: str) -> View:
    """Every group's breakdown, ready to be shown."""
    groups: list[dict[str, Any]] = []
    unit = "utterance"
    for group in plan.groups:
        labels = [candidate.label for candidate in group.candidates]
        paired = paired_scores(group_rows(rows, group.name), metric, labels, plan.seeds)
        unit = paired.unit
        groups.append({"group": group.group, "name": group.name, "rows": breakdown(paired, field)})
    return View(
        title=f"{plan.name} by {BREAKDOWNS[field]}",
        plain={"sweep": plan.name, "metric": metric, "by": field, "groups": groups},
        records=[
            {
                "group": group["name"],
                field: entry["value"],
                "candidate": label,
                "metric": metric,
                "score": score,
                "utterances": entry["utterances"],
            }
            for group in groups
            for entry in group["rows"]
            for label, score in entry["scores"].items()
        ],
        tables=[
            (f"{group['name']}, {METRICS[metric].title}", *_cells(group["rows"], metric, field)) for group in groups
        ],
        lines=[
            f"Means over seeds and {unit}s, of the utterances on which all these candidates and the noisy input "
            "have a score. A row rests on few of them and decides nothing."
        ],
    )


def _cells(rows: list[dict[str, Any]], metric: str, field: str) -> tuple[Row, list[Row]]:
    entries = [(row["value"], row["utterances"], row["leader"], row["scores"]) for row in rows]
    return parts_table(BREAKDOWNS[field], entries, metric)
