"""The finalists' test scores split by what they were scored on, or by seed: `leaderboard.py --by`.

Means over the cells that every complete candidate and the noisy input scored, so that rows and columns compare.
Shown, never decided by.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweep.plan.plan import Plan
from sweep.report.breakdown_fields import FIELDS
from sweep.report.cells import Row, estimate
from sweep.report.output_formats import View
from sweep.verdict.paired_scores import NOISY, PairedScores, group_rows, paired_scores
from trainables.metrics.catalogue import METRICS

_COLUMNS = {"noise_type": "noise_type", "snr": "snr_db", "speaker": "speaker"}  # of the rows


def breakdown(paired: PairedScores, field: str) -> list[dict[str, Any]]:
    """One entry per value of `field`: value, utterances, leader there, and scores by candidate and of "noisy"."""
    labels = paired.complete
    if not labels:
        return []
    chosen = [paired.labels.index(label) for label in labels]
    used = np.logical_and.reduce(paired.finished[chosen])
    scores = paired.scores[chosen][:, used]
    common = np.logical_and.reduce(np.isfinite(scores), axis=(0, 1))
    seeds = np.array(paired.seeds)[used]
    table = pd.DataFrame(scores[..., common].reshape(len(labels), -1).T, columns=list(labels))
    if paired.noisy is not None:
        table[NOISY] = np.tile(paired.noisy[common], len(seeds))
    utterances = paired.utterances[common]
    keys: Any = (
        np.repeat(seeds, len(utterances))
        if field == "seed"
        else np.tile(utterances[_COLUMNS[field]].to_numpy(), len(seeds))
    )
    repeats = 1 if field == "seed" else len(seeds)
    return [_entry(value, part, labels, repeats) for value, part in table.groupby(keys)]


def _entry(value: Any, part: pd.DataFrame, labels: Sequence[str], repeats: int) -> dict[str, Any]:
    means = part.mean()
    return {
        "value": value,
        "utterances": len(part) // repeats,
        "leader": means[list(labels)].round(9).idxmax(),  # the earlier candidate where equal
        "scores": {str(label): float(mean) for label, mean in means.items()},
    }


def breakdown_view(rows: pd.DataFrame, plan: Plan, metric: str, field: str) -> View:
    """Every group's breakdown, ready to be shown."""
    groups: list[dict[str, Any]] = []
    for group in plan.groups:
        labels = [candidate.label for candidate in group.candidates]
        paired = paired_scores(group_rows(rows, group.name), metric, labels, plan.seeds)
        groups.append({"group": group.group, "name": group.name, "rows": breakdown(paired, field)})
    return View(
        title=f"{plan.name} by {FIELDS[field]}",
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
            (f"{group['name']}, {METRICS[metric].title}", *_cells(group["rows"], metric, field))
            for group in groups
        ],
        lines=[
            "Means over seeds and the utterances that all these candidates and the noisy input could be scored on; "
            "one row alone rests on few of them and decides nothing."
        ],
    )


def _cells(entries: Sequence[dict[str, Any]], metric: str, field: str) -> tuple[Row, list[Row]]:
    labels = list(entries[0]["scores"]) if entries else []
    rows = [
        [
            str(entry["value"]),
            str(entry["utterances"]),
            entry["leader"],
            *(estimate(entry["scores"][label], None, metric) for label in labels),
        ]
        for entry in entries
    ]
    return [FIELDS[field], "utterances", "leader", *labels], rows
