"""The same finalists and leaders in another metric, from the stored rows; it decides nothing."""

import pandas as pd

from sweep.plan.plan import Plan
from sweep.verdict.paired_scores import PairedScores, group_rows, paired_scores
from sweep.verdict.result import GateVerdict, GroupResult, Result, group_name
from sweep.verdict.verdict import decide, holm


def in_metric(result: Result, plan: Plan, rows: pd.DataFrame, metric: str) -> Result:
    """The result with every group decided in `metric`, from its rows; the nominated leaders stay."""
    groups = holm([_decided(group, rows, plan, metric) for group in result["groups"]])
    for group in groups:
        group["notes"].append(f"shown in {metric}; the sweep was decided by {plan.metric}, which named the leader")
    return {**result, "metric": metric, "decided_by": plan.metric, "groups": groups}


def paired_again(group: GroupResult, rows: pd.DataFrame, metric: str) -> PairedScores:
    """The scores behind a group's verdict, or behind that in another metric; `rows` are of the test split."""
    mine = group_rows(rows[rows["metric"] == metric], group_name(group["group"]))
    labels = [row["label"] for row in group["candidates"]]
    failed, apart = _failed_jobs(mine, group), [row["label"] for row in group["candidates"] if row.get("apart")]
    return paired_scores(mine, metric, labels, group["seeds"], failed, _left_after(group), apart)


def _decided(group: GroupResult, rows: pd.DataFrame, plan: Plan, metric: str) -> GroupResult:
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
        left_after=_left_after(group),
        gates=GateVerdict(**group["gates"], interpretable=group["interpretable"]) if group.get("gates") else None,
    )


def _left_after(group: GroupResult) -> dict[str, int]:
    return {row["label"]: seeds for row in group["candidates"] if (seeds := row.get("left_after"))}


def _failed_jobs(rows: pd.DataFrame, group: GroupResult) -> list[tuple[str, int]]:
    """Finalists without rows have failed, unless their candidate had left contention."""
    scored = set(zip(rows["candidate"], rows["seed"], strict=True))
    seeds = group["seeds"]
    wanted = [(row["label"], seed) for row in group["candidates"] for seed in seeds[: row.get("left_after")]]
    return [pair for pair in wanted if pair not in scored]
