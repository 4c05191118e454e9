"""The published figures, ranked like a sweep's candidates: `sweep/leaderboard.py --published`.

The figures of sweep/report/published/*.csv are single numbers: n is not stated, so there is no interval and no
winner; the best figure of each group leads. Each row names what trains that system here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sweep.report.output_formats import View
from sweep.report.published import published_rows
from sweep.report.published.counterparts import FEATURE_METRICS, FIGURES, candidate_of
from sweep.verdict.result import by_score, group_name
from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS

NOT_STATED = "n not stated, no interval"


def published_result(metric: str, tables: Sequence[str] = ("1", "2")) -> dict[str, Any]:
    """Groups with their rows by one metric, in the shape of a sweep's result as far as figures go.

    `tables` are those of the paper that are read: 2 compares the layers of two upstreams, 1 everything else.

    Raises:
        UserError: the paper does not give that metric.
    """
    if metric not in FEATURE_METRICS:
        raise UserError(f"--metric {metric}: the paper gives {', '.join(FEATURE_METRICS)}")
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for row in (row for row in published_rows(FIGURES) if row["table"] in tables):
        for upstream in row["upstream"].split("/"):
            label = candidate_of(row["variant"])
            score = {"score": float(row[metric]), "interval": None}
            ours = _trained_here(row["system"], upstream, label)
            groups.setdefault(upstream, {})[label] = {"label": label, "system": row["system"], **score, **ours}
    return {
        "sweep": "published",
        "metric": metric,
        "note": NOT_STATED,
        "groups": [_group(upstream, list(found.values()), METRICS[metric].lower) for upstream, found in groups.items()],
    }


def published_view(result: Mapping[str, Any]) -> View:
    """The figures, ready to be shown."""
    named = [(group_name(group["group"]), group["candidates"]) for group in result["groups"]]
    return View(
        title="published",
        plain=result,
        records=[
            {
                "group": name,
                "candidate": row["label"],
                "system": row["system"],
                "metric": result["metric"],
                "score": row["score"],
                "note": result["note"],
                "space": row["space"],
                "trained_as": row["trained_as"],
            }
            for name, rows in named
            for row in rows
        ],
        tables=[(name, *_cells(rows, result["metric"])) for name, rows in named],
        lines=[f"{METRICS[result['metric']].title} as published: {result['note']}"],
    )


def _trained_here(system: str, upstream: str, label: str) -> dict[str, str]:
    """The space that trains the system, and its group and candidate there; empty where none does."""
    own = [row for row in published_rows("counterparts") if row["paper"] == FIGURES]
    # A system that two groups share is trained by each.
    at_place = [row for row in own if (row["group"], row["candidate"]) == (upstream, label)]
    for row in at_place or [row for row in own if row["system"] == system]:
        group = "" if row["group"] == "all" else f"{row['group']} "
        return {"space": row["space"], "trained_as": group + row["candidate"]}
    return {"space": "", "trained_as": ""}


def _group(upstream: str, candidates: list[dict[str, Any]], lower: bool) -> dict[str, Any]:
    ranked = by_score(candidates, lower)
    leader = ranked[0]
    return {
        "group": {"upstream": upstream},
        "leader": {"label": leader["label"]},
        "winner": None,
        "score": leader["score"],
        "interval": None,
        "candidates": ranked,
    }


def _cells(candidates: Sequence[Mapping[str, Any]], metric: str) -> tuple[list[str], list[list[str]]]:
    header = ["candidate", "system", METRICS[metric].title, "", "trained here by"]
    rows = [
        [
            row["label"],
            row["system"],
            f"{row['score']:.4f}",
            "leader" if rank == 0 else "",
            f"{row['space']}: {row['trained_as']}",
        ]
        for rank, row in enumerate(candidates)
    ]
    return header, rows
