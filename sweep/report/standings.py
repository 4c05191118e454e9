"""The state of a running sweep: every candidate's trials and scores so far, from its study."""

from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Any

from sweep.plan.plan import GroupPlan, Plan
from sweep.report.cells import Row, estimate
from sweep.report.output_formats import View
from sweep.study.outcomes import Outcome
from trainables.metrics.catalogue import METRICS, merit


def standings(plan: Plan, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One entry per group, its candidates best first: by the finalists' mean, else by the best search trial."""
    by_candidate: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        by_candidate.setdefault((outcome.job.group, outcome.job.candidate), []).append(outcome)
    return [
        {
            "group": group.group,
            "name": group.name,
            "candidates": sorted(_candidates(plan, group, by_candidate), key=partial(_rank, plan.metric), reverse=True),
        }
        for group in plan.groups
    ]


def _candidates(plan: Plan, group: GroupPlan, found: dict[tuple[str, str], list[Outcome]]) -> list[dict[str, Any]]:
    rows = []
    for candidate in group.candidates:
        mine = found.get((group.name, candidate.label), [])
        search, final = ([o for o in mine if o.job.phase == phase] for phase in ("search", "final"))
        scores = [o.score for o in final if o.state == "complete" and o.score is not None]
        rows.append(
            {
                "label": candidate.label,
                "search": _counts(search, plan.samples),
                "best_search_score": max(
                    (o.score for o in search if o.score is not None), key=partial(merit, plan.metric), default=None
                ),
                "final": _counts(final, len(plan.seeds)),
                "final_score": fmean(scores) if scores else None,
            }
        )
    return rows


def _counts(outcomes: Sequence[Outcome], planned: int) -> dict[str, int]:
    states = [outcome.state for outcome in outcomes]
    counts = {state: states.count(state) for state in ("running", "failed")}
    return {"planned": planned, "done": len(states) - counts["running"], **counts}


def _rank(metric: str, row: dict[str, Any]) -> tuple[bool, float, bool, float]:
    final, search = row["final_score"], row["best_search_score"]
    return final is not None, merit(metric, final or 0.0), search is not None, merit(metric, search or 0.0)


# -- showing it ----------------------------------------------------------------------------------------


def standings_view(plan: Plan, outcomes: Sequence[Outcome]) -> View:
    """The standings, ready to be shown."""
    groups = standings(plan, outcomes)
    return View(
        title=f"{plan.name}, so far",
        plain={"sweep": plan.name, "metric": plan.metric, "split": "valid", "groups": groups},
        records=[],
        tables=[
            (f"{group['name']}, {METRICS[plan.metric].title}", *_cells(group["candidates"], plan.metric))
            for group in groups
        ],
        lines=[
            "On valid, from the study: means over utterances, as training reported them. The leader is named once "
            "every finalist is scored."
        ],
    )


def _cells(candidates: Sequence[dict[str, Any]], metric: str) -> tuple[Row, list[Row]]:
    rows = [
        [
            row["label"],
            _progress(row["search"]),
            estimate(row["best_search_score"], None, metric),
            _progress(row["final"]),
            estimate(row["final_score"], None, metric),
        ]
        for row in candidates
    ]
    return ["candidate", "search", "best trial", "finalists", "mean of finalists"], rows


def _progress(counts: dict[str, int]) -> str:
    """ "3 of 8, 1 running, 1 failed"."""
    rest = [f"{counts[state]} {state}" for state in ("running", "failed") if counts[state]]
    return ", ".join([f"{counts['done']} of {counts['planned']}", *rest])
