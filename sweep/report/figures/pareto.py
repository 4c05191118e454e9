"""Two metrics at once: the candidates on test, and those that no other beats in both.

Points are the leaderboard's means (`sweep.report.findings.metric_means`) without intervals: the front is that of
this test set and decides nothing.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from sweep.report.figures.panels import panelled, save
from sweep.report.figures.scores import COLOURS
from sweep.verdict.paired_scores import NOISY
from sweep.verdict.result import GroupResult, MetricMeans, Result, candidate_verdict, group_name
from trainables.metrics.catalogue import METRICS, merit, shown_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL_INCHES = (4.6, 4.0)


def second_metric(result: Result) -> str | None:
    """The metric plotted against the deciding one; None where nothing else was scored."""
    scored = {metric for entry in result["metrics"] if not entry["published"] for metric in entry["scores"]}
    return next((m for m in shown_in("pareto") if m in scored and m != result["metric"]), None)


def pareto_front(points: Mapping[str, tuple[float, float]], metrics: tuple[str, str]) -> list[str]:
    """The labels on the Pareto front, sorted by the first value; the points are by these two metrics."""
    turned = {label: (merit(metrics[0], x), merit(metrics[1], y)) for label, (x, y) in points.items()}
    return sorted(
        (label for label, point in turned.items() if not any(_beats(o, point) for o in turned.values())),
        key=lambda label: points[label],
    )


def pareto_plot(result: Result, path: str | PathLike[str]) -> "Figure | None":
    """Write a PNG, a panel per group, and return its figure; nothing where there is no second metric."""
    across, upwards = second_metric(result), result["metric"]
    if across is None:
        return None
    groups = result["groups"]
    figure, panels = panelled(len(groups), _PANEL_INCHES)
    for axes, group in zip(panels, groups, strict=True):
        entries = [e for e in result["metrics"] if e["group"] == group_name(group["group"])]
        _draw(axes, group, [e for e in entries if {across, upwards} <= set(e["scores"])], across, upwards)
    figure.supxlabel(f"{METRICS[across].title} on test", fontsize="medium")
    figure.supylabel(f"{METRICS[upwards].title} on test", fontsize="medium")
    save(figure, path)
    return figure


def _draw(axes: Any, group: GroupResult, entries: Sequence[MetricMeans], across: str, upwards: str) -> None:
    points = {e["candidate"]: (e["scores"][across], e["scores"][upwards]) for e in entries}
    noisy = points.pop(NOISY, None)
    published = {e["candidate"] for e in entries if e["published"]}
    ours = {label: point for label, point in points.items() if label not in published}
    front = pareto_front(ours, (across, upwards))
    # What a candidate reaches holds for all that ask less across: for smaller values where more is better.
    where = "post" if METRICS[across].lower else "pre"
    axes.step(*zip(*(ours[label] for label in front), strict=True), where=where, color="tab:green", alpha=0.5)
    for label, (x, y) in points.items():
        marker, colour = ("s", "tab:purple") if label in published else ("o", COLOURS[candidate_verdict(group, label)])
        axes.plot(x, y, marker, color=colour, markerfacecolor="white" if label in published else None)
        axes.annotate(label, (x, y), xytext=(5, 4), textcoords="offset points", fontsize="small")
    axes.margins(0.2)
    axes.locator_params(axis="x", nbins=5)
    if noisy:  # annotated, not plotted: it would compress the axes
        note = f"noisy input: {noisy[0]:.2f}, {noisy[1]:.2f}"
        axes.annotate(note, (0.02, 0.02), xycoords="axes fraction", fontsize="small", color="dimgrey")
    axes.set_title(f"{group_name(group['group'])}: front {', '.join(front)}", fontsize="medium")
    axes.grid(alpha=0.3)


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]
