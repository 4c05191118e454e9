"""What decides: each candidate's paired difference to the leader and to the baseline, as a forest plot.

Nothing is computed here. Values and intervals are those of the group's result, `behind_leader` and `gain`, by which
the verdict was reached; an interval that excludes zero decides. Everything that colour says, a marker or a filling
says too (colours by Okabe and Ito, which are distinct for colour-blind readers).
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.report.cells import gated
from sweep.report.figures.panels import figure_of, save
from sweep.verdict.result import CandidateResult, GroupResult, Interval, Result, group_name
from trainables.metrics.catalogue import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOREST, NARROW_FOREST = "forest", "forest-narrow"  # files
SMALLEST_TEXT = 8.0  # points
_BLUE, _ORANGE, _VERMILION = "#0072B2", "#E69F00", "#D55E00"
_WIDE, _NARROW, _FRAME_HEIGHT = 4.4, 3.9, 1.25  # inches: the width of a panel, and what surrounds it
_LONGEST_LABEL = 24  # characters in a line; two lines at most
_ROOM = 13.0  # characters in an inch
_FAR = 4.0  # times the median distance: further off, an interval is annotated, not drawn
_LEADER, _BASELINE = "leader", "baseline"


@dataclass(frozen=True)
class SeedDifferences:
    """Each seed's own differences by candidate, with the signs of `behind_leader` and `gain`."""

    behind_leader: Mapping[str, Sequence[float]] = field(default_factory=dict)
    gain: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    """One candidate against the reference of a panel; to the right is better."""

    label: str
    value: float | None
    interval: Interval | None
    seeds: Sequence[float]
    is_reference: bool
    is_baseline: bool

    @property
    def values(self) -> Sequence[float]:
        """All that is drawn of it."""
        return [self.value or 0.0, *(self.interval or ()), *self.seeds]

    @property
    def reach(self) -> float:
        """The largest distance from zero."""
        return max(map(abs, self.values))

    @property
    def nearest(self) -> float:
        """The smallest distance of its interval from zero."""
        low, high = self.interval or (self.value or 0.0, self.value or 0.0)
        return 0.0 if low <= 0 <= high else min(abs(low), abs(high))


def forest_plot(
    groups: Sequence[GroupResult],
    metric_title: str,
    seeds: Mapping[str, SeedDifferences] | None = None,
    columns: int = 2,
) -> "Figure":
    """A panel against the leader and one against the baseline for each group, a row per candidate, the best first.

    `seeds` has points for groups by name; `columns` is 1 for a narrow page. A group whose baseline is not among its
    candidates has the first panel only. Save it with `sweep.report.figures.panels.save`.
    """
    panels = [(group, reference) for group in groups for reference in _references(group)]
    per_row = min(columns, max(len(_references(group)) for group in groups))
    rows = [panels[start : start + per_row] for start in range(0, len(panels), per_row)]
    if per_row == 2:  # a group to a row, also where one has a single panel
        rows = [[(group, reference) for reference in _references(group)] for group in groups]
    heights = [_FRAME_HEIGHT + _rows_height(row[0][0]) for row in rows]
    width = _WIDE if per_row == 2 else _NARROW
    figure = figure_of((width * per_row, sum(heights) + (0.4 if per_row == 2 else 1.3)))
    grid = figure.add_gridspec(len(rows), per_row, height_ratios=heights)
    handles: dict[str, Any] = {}
    for place, row in enumerate(rows):
        for column, (group, reference) in enumerate(row):
            axes = figure.add_subplot(grid[place, column])
            points = (seeds or {}).get(group_name(group["group"]), SeedDifferences())
            handles |= _draw(axes, group, reference, metric_title, points, round(_ROOM * width))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3 if per_row == 2 else 1, frameon=False,
        fontsize=SMALLEST_TEXT, handletextpad=0.5, columnspacing=1.2,
    )  # fmt: skip
    return figure


def write_forest(result: Result, folder: Path, seeds: Mapping[str, SeedDifferences] | None = None) -> None:
    """`forest.png` and `forest.svg`, and `forest-narrow.svg` for the screens of telephones."""
    title = METRICS[result["metric"]].title
    wide, narrow = (forest_plot(result["groups"], title, seeds, columns) for columns in (2, 1))
    save(wide, folder / f"{FOREST}.png")
    save(wide, folder / f"{FOREST}.svg")
    save(narrow, folder / f"{NARROW_FOREST}.svg")


def describe(group: GroupResult) -> str:
    """The figure in words, for readers who do not see it: "tera: layer2 leads; behind: random (-0.80)"."""
    rows = [row for row in _rows(group, _LEADER, SeedDifferences()) if not row.is_reference]
    shown = ", ".join(row.label + ("" if row.value is None else f" ({row.value:+.3g})") for row in rows)
    return f"{_headline(group)}; differences to it: {shown}"


def _references(group: GroupResult) -> tuple[str, ...]:
    labels = [candidate["label"] for candidate in group["candidates"]]
    return (_LEADER, _BASELINE) if group["baseline"] in labels else (_LEADER,)


def _rows_height(group: GroupResult) -> float:
    two_lines = any("\n" in _wrapped(f"{candidate['label']} *") for candidate in group["candidates"])
    return len(group["candidates"]) * (0.38 if two_lines else 0.3)


def _rows(group: GroupResult, reference: str, seeds: SeedDifferences) -> list[_Row]:
    """Best first, by the difference to the leader; those without one last."""
    leader = group["leader"]["label"]

    def lead(candidate: CandidateResult) -> float:
        behind = 0.0 if candidate["label"] == leader else candidate.get("behind_leader")
        return np.inf if behind is None else behind

    return [_row(group, candidate, reference, seeds) for candidate in sorted(group["candidates"], key=lead)]


def _row(group: GroupResult, candidate: CandidateResult, reference: str, seeds: SeedDifferences) -> _Row:
    label, is_baseline = candidate["label"], bool(candidate.get("baseline"))
    if reference == _LEADER:  # turned round, exactly: to the right is better in both panels
        behind, interval = candidate.get("behind_leader"), candidate.get("behind_leader_interval")
        return _Row(
            label,
            None if behind is None else -behind,
            None if interval is None else (-interval[1], -interval[0]),
            [-each for each in seeds.behind_leader.get(label, ())],
            label == group["leader"]["label"],
            is_baseline,
        )
    points = seeds.gain.get(label, ())
    is_reference = label == group["baseline"]
    return _Row(label, candidate["gain"], candidate["gain_interval"], points, is_reference, is_baseline)


def _draw(
    axes: Any, group: GroupResult, reference: str, title: str, seeds: SeedDifferences, room: int
) -> dict[str, Any]:
    """One panel, `room` characters wide; returns what its legend needs."""
    rows = _rows(group, reference, seeds)
    limits = _limits(rows, max(group.get("margin") or 0.0, (reference == _LEADER and group["resolvable"]) or 0.0))
    handles = _bands(axes, group, reference)
    axes.axvline(0, color="black", linewidth=1.0, zorder=1)
    for place, row in enumerate(rows):
        handles |= _draw_row(axes, place, row, limits)
    axes.set_xlim(*limits)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    labels = [_wrapped(f"{row.label} *" if row.is_baseline else row.label) for row in rows]
    room -= max(len(line) for label in labels for line in label.split("\n"))
    axes.set_yticks(range(len(rows)), labels, fontsize=SMALLEST_TEXT + 0.5, parse_math=False)
    for row, text in zip(rows, axes.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if row.label == group["leader"]["label"] else "normal")
    axes.tick_params(axis="x", labelsize=SMALLEST_TEXT)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", alpha=0.25)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    name = _wrapped(group["leader"]["label"] if reference == _LEADER else group["baseline"], lines=1)
    gained = _wrapped(f"gain in {title} over the {reference} (right:\u00a0better)", room)
    axes.set_xlabel(gained, fontsize=SMALLEST_TEXT + 0.5, parse_math=False)
    words = _headline(group) if reference == _LEADER else f"{_prefix(group)}against the baseline {name}"
    axes.set_title(_wrapped(words, room, lines=3), fontsize=SMALLEST_TEXT + 1.5, loc="left", parse_math=False)
    return handles


def _bands(axes: Any, group: GroupResult, reference: str) -> dict[str, Any]:
    """The margin, and against the leader the detectable difference, which is that of a pair, not of Dunnett's."""
    bands: dict[str, tuple[float | None, str, str]] = {"margin of equivalence": (group.get("margin"), "0.80", ":")}
    if reference == _LEADER:
        bands = {"too small to detect (80 % power)": (group["resolvable"], "0.93", "--")} | bands
    return {
        # The narrower one lies on top.
        name: axes.axvspan(-half, half, facecolor=grey, edgecolor="0.45", linestyle=line, linewidth=0.9, zorder=-half)
        for name, (half, grey, line) in bands.items()
        if half
    }


def _draw_row(axes: Any, place: int, row: _Row, limits: Interval) -> dict[str, Any]:
    if row.is_reference:
        (mark,) = axes.plot(0, place, "D", color="black", markersize=6.5, zorder=4)
        return {"reference (bold: leader, *: baseline)": mark}
    if row.value is None:
        axes.annotate("no score in common", (0, place), fontsize=SMALLEST_TEXT, va="center", ha="center", color="0.3")
        return {}
    name, marker, colour, filled = _appearance(row)
    low, high = row.interval or (row.value, row.value)
    if low > limits[1] or high < limits[0]:  # an arrow towards it, with its value
        right = row.value > 0
        edge, offset, side = (limits[1], -8, "right") if right else (limits[0], 8, "left")
        axes.plot(edge, place, ">" if right else "<", color=colour, markersize=8, clip_on=False)
        axes.annotate(
            f"{row.value:+.3g}", (edge, place), xytext=(offset, 0), textcoords="offset points",
            fontsize=SMALLEST_TEXT, va="center", ha=side,
        )  # fmt: skip
        return {}
    axes.plot([low, high], [place, place], "-", color=colour, linewidth=2.0, solid_capstyle="butt", zorder=3)
    (mark,) = axes.plot(
        row.value, place, marker, color=colour, markerfacecolor=colour if filled else "white",
        markeredgewidth=1.6, markersize=7.5, linestyle="none", zorder=4,
    )  # fmt: skip
    handles = {name: mark}
    if row.seeds:
        (dots,) = axes.plot(
            row.seeds, [place + 0.27] * len(row.seeds), "|", color="0.25", markersize=5, markeredgewidth=1.1, zorder=2
        )
        handles["each seed"] = dots
    return handles


def _appearance(row: _Row) -> tuple[str, str, str, bool]:
    """(in the legend, marker, colour, filled): filled where zero is excluded."""
    if row.interval is None:
        return "no interval", "x", "0.35", True
    low, high = row.interval
    if low > 0:
        return "better than it", "^", _BLUE, True
    if high < 0:
        return "worse than it", "v", _VERMILION, True
    return "not separated from it", "o", _ORANGE, False


def _limits(rows: Sequence[_Row], band: float) -> Interval:
    """Both ends of a panel: all intervals and the wider band, but none far off, which would compress the others."""
    found = [row for row in rows if not row.is_reference and row.value is not None]
    far = _FAR * float(np.median([row.reach for row in found])) if found else 1.0
    near = [value for row in found if row.nearest <= far for value in row.values]
    shown = min(band, far or np.inf)
    low, high = min([*near, -shown]), max([*near, shown])
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _headline(group: GroupResult) -> str:
    leader, others = group["leader"]["label"], len(group["contenders"])
    verb = "wins" if group["verdict"] == "winner" else "leads, a tie"
    tie = f" of {others + 1}" if group["verdict"] == "tie" and others else ""
    doubt = " (not\u00a0meaningful)" if gated(group) and not group["interpretable"] else ""
    return f"{_prefix(group)}{leader} {verb}{tie}{doubt}"


def _prefix(group: GroupResult) -> str:
    """The group's name, where there are several."""
    return f"{group.get('name') or group_name(group['group'])}: " if group["group"] else ""


def _wrapped(text: str, width: int = _LONGEST_LABEL, lines: int = 2) -> str:
    return "\n".join(textwrap.wrap(text, width, max_lines=lines, placeholder="…") or [""])
