"""Two metrics at once: where the candidates lie on test, and which of them no other beats in both.

Points are means (see `sweep.report.findings.metric_means`) without intervals: the front is of this test set, and
decides nothing.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from sweep.report.figures.scores import COLOURS
from sweep.verdict.result import candidate_verdict, group_name
from trainables.inference import NOISY
from trainables.metrics.catalogue import METRICS, shown_in

_PANEL_INCHES = (4.6, 4.0)


def second_metric(result: Mapping[str, Any]) -> str | None:
    """What stands against the deciding metric; None where nothing else was scored."""
    scored = {metric for entry in _ours(result) for metric in entry["scores"]}
    return next((m for m in shown_in("pareto") if m in scored and m != result["metric"]), None)


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Labels that no other point equals or beats in both and beats in one, by the first value; more is better."""
    return sorted(
        (label for label, point in points.items() if not any(_beats(o, point) for o in points.values())),
        key=lambda label: points[label],
    )


def pareto_plot(result: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Write a PNG, a panel per group; nothing where there is no second metric."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across, upwards = second_metric(result), result["metric"]
    if across is None:
        return
    groups = result["groups"]
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * max(len(groups), 1), height), layout="constrained")
    FigureCanvasAgg(figure)
    for column, group in enumerate(groups):
        axes = figure.add_subplot(1, len(groups), column + 1)
        entries = [e for e in result["metrics"] if e["group"] == group_name(group["group"])]
        _draw(axes, group, [e for e in entries if {across, upwards} <= set(e["scores"])], across, upwards)
    figure.supxlabel(f"{METRICS[across].title} on test", fontsize="medium")
    figure.supylabel(f"{METRICS[upwards].title} on test", fontsize="medium")
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


def _draw(
    axes: Any, group: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], across: str, upwards: str
) -> None:
    points = {e["candidate"]: (e["scores"][across], e["scores"][upwards]) for e in entries}
    noisy = points.pop(NOISY, None)
    published = {e["candidate"] for e in entries if e["published"]}
    ours = {label: point for label, point in points.items() if label not in published}
    front = pareto_front(ours)
    axes.step(*zip(*(ours[label] for label in front), strict=True), where="pre", color="tab:green", alpha=0.5)
    for label, (x, y) in points.items():
        marker, colour = ("s", "tab:purple") if label in published else ("o", _colour(group, label))
        axes.plot(x, y, marker, color=colour, markerfacecolor="white" if label in published else None)
        axes.annotate(label, (x, y), xytext=(5, 4), textcoords="offset points", fontsize="small")
    axes.margins(0.2)
    axes.locator_params(axis="x", nbins=5)
    if noisy:  # told, not drawn: it lies so far off that the candidates would be one blot
        said = f"noisy input: {noisy[0]:.2f}, {noisy[1]:.2f}"
        axes.annotate(said, (0.02, 0.02), xycoords="axes fraction", fontsize="small", color="dimgrey")
    axes.set_title(f"{group_name(group['group'])}: front {', '.join(front)}", fontsize="medium")
    axes.grid(alpha=0.3)


def _colour(group: Mapping[str, Any], label: str) -> str:
    return COLOURS[candidate_verdict(group, label)]


def _ours(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in result["metrics"] if not entry["published"]]


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]
