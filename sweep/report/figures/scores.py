"""Every candidate's test score with its interval, one panel per group."""

from os import PathLike
from typing import Any

from sweep.report.figures.panels import panelled, save
from sweep.verdict.result import GroupResult, Result, candidate_verdict, group_name
from trainables.metrics.catalogue import METRICS

# By Okabe and Ito, which are distinct for colour-blind readers; markers say the same in grey.
COLOURS = {"winner": "#009E73", "leader": "#0072B2", "contender": "#E69F00", "behind": "0.45"}
MARKERS = {"winner": "*", "leader": "D", "contender": "o", "behind": "v"}
_PANEL_INCHES = (4.2, 3.6)


def score_plot(result: Result, path: str | PathLike[str]) -> None:
    """Write a PNG. Bars are each score's own interval; the verdict compares paired differences instead."""
    groups = result["groups"]
    figure, panels = panelled(len(groups), _PANEL_INCHES)
    for axes, group in zip(panels, groups, strict=True):
        _draw(axes, group)
    figure.supylabel(f"{METRICS[result['metric']].title} on test")
    figure.supxlabel(
        "star: winner; diamond: leader; circle: not separated from it; hollow: baselines; dotted: noisy input",
        fontsize="small",
    )
    mark = "" if result.get("meaningful", True) else " (not meaningful)"
    figure.suptitle(f"{result['space']}, {result.get('preset', '')} preset{mark}", fontsize="medium")
    save(figure, path)


def _draw(axes: Any, group: GroupResult) -> None:
    labels = [candidate["label"] for candidate in group["candidates"]]
    for place, candidate in enumerate(group["candidates"]):
        if candidate["score"] is None:
            continue
        verdict = candidate_verdict(group, candidate["label"])
        low, high = candidate["interval"] or (candidate["score"], candidate["score"])
        axes.errorbar(
            place,
            candidate["score"],
            yerr=[[candidate["score"] - low], [high - candidate["score"]]],
            fmt=MARKERS[verdict],
            markersize=10 if verdict == "winner" else 6,
            capsize=4,
            color=COLOURS[verdict],
            markerfacecolor="white" if candidate.get("baseline") else None,
        )
    noisy = group.get("noisy", {}).get("score")
    if noisy is not None:
        axes.axhline(noisy, linestyle=":", color="black")
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", parse_math=False)
    axes.set_title(f"{group_name(group['group'])}: {_headline(group)}", fontsize="medium")
    axes.grid(axis="y", alpha=0.3)


def _headline(group: GroupResult) -> str:
    verb = "wins" if group["verdict"] == "winner" else "leads, a tie"
    return f"{group['leader']['label']} {verb}"
