"""The same finalists and leaders in another metric, from the stored rows: shown, never decided by."""

from typing import Any

import pandas as pd

from sweep.plan.plan import Plan
from sweep.verdict.paired_scores import group_rows
from sweep.verdict.result import group_name
from sweep.verdict.verdict import GroupVerdict, decide, holm


def in_metric(result: dict[str, Any], plan: Plan, rows: pd.DataFrame, metric: str) -> dict[str, Any]:
    """The result with a verdict in `metric` for every group, from its rows; the nominated leaders stay."""
    verdicts = [_judge(group, rows, plan, metric) for group in result["groups"]]
    groups = [verdict.to_json() for verdict in holm(verdicts)]
    for group in groups:
        group["notes"].append(
            f"shown in {metric}; the sweep was decided by {plan.metric}, which named the leader"
        )
    return result | {"metric": metric, "decided_by": plan.metric, "groups": groups}


def _judge(group: dict[str, Any], rows: pd.DataFrame, plan: Plan, metric: str) -> GroupVerdict:
    name = group_name(group["group"])
    mine = group_rows(rows, name)
    return decide(
        group=group["group"],
        rows=mine,
        metric=metric,
        candidates=group["candidates"],
        leader=group["leader"]["label"],
        seeds=group["seeds"],
        baseline=plan.space_object().baseline,
        alpha=plan.alpha_per_look,
        failed_jobs=_failed_jobs(mine, group),
        left_after={row["label"]: row["left_after"] for row in group["candidates"] if row.get("left_after")},
        gates=group["gates"] | {"interpretable": group["interpretable"]} if group.get("gates") else None,
    )


def _failed_jobs(rows: pd.DataFrame, group: dict[str, Any]) -> list[tuple[str, int]]:
    """A finalist without any row has failed, unless its candidate had left contention."""
    scored = set(zip(rows["candidate"], rows["seed"], strict=True))
    seeds = group["seeds"]
    wanted = [(row["label"], seed) for row in group["candidates"] for seed in seeds[: row.get("left_after")]]
    return [pair for pair in wanted if pair not in scored]
