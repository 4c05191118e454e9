"""Two things at once: the candidates' scores on test against another metric, or against what they cost.

No other candidate beats those on the front in both. Points are the leaderboard's means
(`sweep.report.findings.metric_means`), with the score's own intervals: the front is that of this test set and decides
nothing.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.report.cells import COST_TITLES, amount
from sweep.report.figures.panels import figure_of, panelled, save
from sweep.report.figures.scores import COLOURS, MARKERS
from sweep.verdict.paired_scores import NOISY
from sweep.verdict.result import (
    COSTS,
    GroupResult,
    Interval,
    MetricMeans,
    Result,
    candidate_verdict,
    cost_numbers,
    group_name,
)
from trainables.metrics.catalogue import METRICS, shown_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COST_FRONTS, NARROW_COST_FRONTS = "costs", "costs-narrow"  # files
SMALLEST_TEXT = 8.0  # points
_PANEL_INCHES = (5.2, 4.0)
_NARROW_INCHES = 3.9  # the width of a telephone's screen
_LINE_INCHES, _FRAME_INCHES = 0.165, 0.9  # the height of a label, and what surrounds a panel
_LONGEST_LABEL, _LONGEST_NARROW = 36, 20  # characters
_KEY = "star: winner; diamond: leader; circle: not separated from it\nhollow: baselines; bold: on the front"


@dataclass(frozen=True)
class _Point:
    """One candidate: where it is drawn, and its interval up and down or to the sides."""

    x: float
    y: float
    interval: Interval | None = None
    x_interval: Interval | None = None


# -- fronts ------------------------------------------------------------------------------------------------


def second_metric(result: Result) -> str | None:
    """The metric plotted against the deciding one; None where nothing else was scored."""
    scored = {metric for entry in result["metrics"] if not entry["published"] for metric in entry["scores"]}
    return next((m for m in shown_in("pareto") if m in scored and m != result["metric"]), None)


def pareto_front(points: Mapping[str, tuple[float, float]], axes: tuple[str, str]) -> list[str]:
    """The labels on the Pareto front, sorted by the first value; the axes are names of metrics or of `COSTS`."""
    signs = [-1.0 if _less_is_better(axis) else 1.0 for axis in axes]
    turned = {label: (signs[0] * x, signs[1] * y) for label, (x, y) in points.items()}
    return sorted(
        (label for label, point in turned.items() if not any(_beats(o, point) for o in turned.values())),
        key=lambda label: points[label],
    )


def _less_is_better(axis: str) -> bool:
    return axis in COSTS or METRICS[axis].lower


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]


# -- against another metric --------------------------------------------------------------------------------


def pareto_plot(result: Result, path: str | PathLike[str]) -> "Figure | None":
    """Write a PNG, a panel per group, and return its figure; nothing where there is no second metric."""
    across, upwards = second_metric(result), result["metric"]
    if across is None:
        return None
    groups = result["groups"]
    figure, panels = panelled(len(groups), _PANEL_INCHES)
    for axes, group in zip(panels, groups, strict=True):
        entries = [e for e in result["metrics"] if e["group"] == group_name(group["group"])]
        front = _draw_metrics(
            axes, group, [e for e in entries if {across, upwards} <= set(e["scores"])], across, upwards
        )
        axes.set_title(
            f"{group_name(group['group'])}: front {', '.join(front)}", fontsize="medium", parse_math=False, wrap=True
        )
    figure.supxlabel(f"{METRICS[across].title} on {_heard(result, across)}", fontsize="medium")
    figure.supylabel(f"{METRICS[upwards].title} on test", fontsize="medium")
    save(figure, path)
    return figure


def _heard(result: Result, metric: str) -> str:
    """Of test, what the metric was computed on."""
    counts = {entry["utterances"][metric] for entry in result["metrics"] if metric in entry.get("utterances", {})}
    return f"{max(counts)} utterances of test" if counts else "test"


def _draw_metrics(
    axes: Any, group: GroupResult, entries: Sequence[MetricMeans], across: str, upwards: str
) -> list[str]:
    intervals = {candidate["label"]: candidate["interval"] for candidate in group["candidates"]}
    points = {
        e["candidate"]: _Point(e["scores"][across], e["scores"][upwards], intervals.get(e["candidate"]))
        for e in entries
    }
    noisy = points.pop(NOISY, None)
    published = {e["candidate"] for e in entries if e["published"]}
    front = _draw(axes, group, points, (across, upwards), _PANEL_INCHES[1], published)
    axes.locator_params(axis="x", nbins=5)
    if noisy:  # annotated, not plotted: it would compress the axes
        note = f"noisy input: {noisy.x:.2f}, {noisy.y:.2f}"
        axes.annotate(note, (0.02, 0.02), xycoords="axes fraction", fontsize=SMALLEST_TEXT, color="dimgrey")
    return front


# -- against costs -----------------------------------------------------------------------------------------


def write_cost_fronts(result: Result, folder: Path) -> None:
    """`costs.png` and `costs.svg`, and `costs-narrow.svg` for the screens of telephones; nothing without costs."""
    if not _panels(result):
        return
    wide, narrow = cost_fronts(result), cost_fronts(result, columns=1)
    save(wide, folder / f"{COST_FRONTS}.png")
    save(wide, folder / f"{COST_FRONTS}.svg")
    save(narrow, folder / f"{NARROW_COST_FRONTS}.svg")


def cost_fronts(result: Result, columns: int = 2) -> "Figure":
    """A panel per group and known cost; `columns` is 1 for a narrow page."""
    panels = _panels(result)
    most = max(len(group["candidates"]) for group, _ in panels)
    height = max(2.6, most * _LINE_INCHES + _FRAME_INCHES)
    rows = math.ceil(len(panels) / columns)
    width = _NARROW_INCHES if columns == 1 else _PANEL_INCHES[0] * min(columns, len(panels))
    figure = figure_of((width, rows * height + 0.7))
    for place, (group, cost) in enumerate(panels):
        axes = figure.add_subplot(rows, min(columns, len(panels)), place + 1)
        points = _points(result, group, cost)
        longest = _LONGEST_NARROW if columns == 1 else _LONGEST_LABEL
        _draw(axes, group, points, (cost, result["metric"]), height, longest=longest)
        _scale(axes, [point.x for point in points.values()])
        name = f"{group_name(group['group'])}: " if len(result["groups"]) > 1 else ""
        axes.set_xlabel(f"{name}{COST_TITLES[cost]}", fontsize=SMALLEST_TEXT + 0.5, parse_math=False)
        axes.tick_params(labelsize=SMALLEST_TEXT)
    figure.supylabel(f"{METRICS[result['metric']].title} on test", fontsize=SMALLEST_TEXT + 0.5)
    figure.supxlabel(_KEY, fontsize=SMALLEST_TEXT)
    return figure


def _panels(result: Result) -> list[tuple[GroupResult, str]]:
    return [(group, cost) for group in result["groups"] for cost in COSTS if _points(result, group, cost)]


def _points(result: Result, group: GroupResult, cost: str) -> dict[str, _Point]:
    """Of the candidates that have a score and this cost."""
    name = group_name(group["group"])
    costs = {entry["candidate"]: entry for entry in result.get("costs", []) if entry["group"] == name}
    found = {}
    for row in group["candidates"]:
        entry = costs.get(row["label"])
        value = cost_numbers(entry)[cost] if entry else None
        if entry is None or value is None or row["score"] is None:
            continue
        spread = entry["machine"]["real_time_factor_spread"] if cost == "real_time_factor" else None
        sides = None if spread is None else (value - spread / 2, value + spread / 2)
        found[row["label"]] = _Point(value, row["score"], row["interval"], sides)
    return found


def _scale(axes: Any, values: Sequence[float]) -> None:
    """Logarithmic, with few round ticks, where all values are positive."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    if min(values) <= 0:
        axes.locator_params(axis="x", nbins=4)
    else:
        axes.set_xscale("log")
        low, high = min(values) / 1.5, max(values) * 1.5
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(FixedLocator(_round_ticks(low, high)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))


def _round_ticks(low: float, high: float) -> list[float]:
    """One to five within the limits: 1, 2 or 5 times a power of ten where there is one, else the middle."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [tick for power in powers for digit in digits if low <= (tick := float(f"{digit}e{power}")) <= high]
        if not ticks:
            return [float(f"{math.sqrt(low * high):.2g}")]
        if len(ticks) <= 5:
            return ticks
    return ticks[:: math.ceil(len(ticks) / 5)]


# -- drawing -----------------------------------------------------------------------------------------------


def _draw(
    axes: Any,
    group: GroupResult,
    points: Mapping[str, _Point],
    names: tuple[str, str],
    height: float,
    published: Collection[str] = (),
    longest: int = _LONGEST_LABEL,
) -> list[str]:
    """Points, front and labels in a panel of `height` inches; returns the labels on the front."""
    ours = {label: (point.x, point.y) for label, point in points.items() if label not in published}
    front = pareto_front(ours, names)
    # What a candidate reaches holds for all that ask less across: for smaller values where more is better.
    where = "post" if _less_is_better(names[0]) else "pre"
    axes.step(*zip(*(ours[label] for label in front), strict=True), where=where, color="tab:green", alpha=0.5)
    baselines = {candidate["label"] for candidate in group["candidates"] if candidate.get("baseline")}
    for label, point in points.items():
        verdict = "behind" if label in published else candidate_verdict(group, label)
        colour = "tab:purple" if label in published else COLOURS[verdict]
        axes.errorbar(
            point.x,
            point.y,
            yerr=_bars(point.y, point.interval),
            xerr=_bars(point.x, point.x_interval),
            fmt="s" if label in published else MARKERS[verdict],
            markersize=10 if verdict == "winner" else 6,
            elinewidth=1.0,
            color=colour,
            markerfacecolor="white" if label in {*published, *baselines} else None,
        )
    axes.margins(0.1)
    axes.grid(alpha=0.3)
    _label(axes, points, front, height - _FRAME_INCHES, longest)
    return front


def _bars(value: float, interval: Interval | None) -> Any:
    return None if interval is None else [[max(0.0, value - interval[0])], [max(0.0, interval[1] - value)]]


def _label(axes: Any, points: Mapping[str, _Point], front: Sequence[str], height: float, longest: int) -> None:
    """Labels in a column to the right, each with a line to its point: none covers another. Bold on the front."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    order = sorted(points, key=lambda label: points[label].y)
    places = _apart([(points[label].y - low) / (high - low) for label in order], _LINE_INCHES / height)
    for label, place in zip(order, places, strict=True):
        point = points[label]
        axes.annotate(
            label if len(label) <= longest else f"{label[: longest // 2]}…{label[1 - longest // 2 :]}",
            (point.x, point.y),
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            fontsize=SMALLEST_TEXT,
            fontweight="bold" if label in front else "normal",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.6, "shrinkB": 4, "relpos": (0.0, 0.5)},
            parse_math=False,
        )


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places moved as little as needed to be `gap` apart, and within 0 and 1 where they fit there."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    ceiling = 1.0
    for number in reversed(range(len(moved))):
        moved[number] = min(moved[number], ceiling)
        ceiling = moved[number] - gap
    return moved
