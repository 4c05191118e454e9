"""Who left when: under `--seeds auto`, the looks on valid at which candidates left contention, and why."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.report.figures.panels import figure_of, save
from sweep.verdict.contention import Look
from sweep.verdict.result import GroupResult, Result, group_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONTENTION = "contention"  # file
_WIDTH, _ROW_HEIGHT, _FRAME_HEIGHT = 4.6, 0.38, 1.1  # inches
_TEXT = 8.0  # points
_STAYED, _LEFT = ("stayed to the end", "0.15", "D"), ("left at a look", "#D55E00", "X")  # colour, marker


def write_contention(result: Result, looks: Mapping[str, Sequence[Look]], folder: Path) -> None:
    """`contention.png` and `.svg`; nothing where no look was taken."""
    looked_at = [group for group in result["groups"] if looks.get(group_name(group["group"]))]
    if looked_at:
        figure = contention_plot(looked_at, looks)
        save(figure, folder / f"{CONTENTION}.png")
        save(figure, folder / f"{CONTENTION}.svg")


def contention_plot(groups: Sequence[GroupResult], looks: Mapping[str, Sequence[Look]]) -> "Figure":
    """A panel per group: seeds from left to right, a row per candidate, those that stayed longest first."""
    heights = [_FRAME_HEIGHT + _ROW_HEIGHT * len(group["candidates"]) for group in groups]
    figure = figure_of((_WIDTH, sum(heights) + 0.4))
    grid = figure.add_gridspec(len(groups), 1, height_ratios=heights)
    most = max(_given(row, looks[group_name(group["group"])]) for group in groups for row in group["candidates"])
    handles: dict[str, Any] = {}
    for place, group in enumerate(groups):
        handles |= _draw(figure.add_subplot(grid[place]), group, looks[group_name(group["group"])], most)
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=_TEXT,
        handletextpad=0.5, columnspacing=1.2,
    )  # fmt: skip
    return figure


def _draw(axes: Any, group: GroupResult, looks: Sequence[Look], most: int) -> dict[str, Any]:
    reasons = {label: why for look in looks for label, why in look.left.items()}
    rows = sorted(group["candidates"], key=lambda row: (-_given(row, looks), row["label"] in reasons))
    for look in looks:
        axes.axvline(look.seeds, color="0.6", linestyle="--", linewidth=0.9, zorder=0)
    handles: dict[str, Any] = {}
    for place, row in enumerate(rows):
        given = _given(row, looks)
        name, colour, marker = _LEFT if row["label"] in reasons else _STAYED
        axes.plot([0, given], [place, place], "-", color=colour, linewidth=2.0, solid_capstyle="butt")
        (handles[name],) = axes.plot(given, place, marker, color=colour, markersize=8, linestyle="none", clip_on=False)
    axes.set_xlim(0, most + 0.15)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xticks(sorted({0, most, *(look.seeds for look in looks)}))
    axes.set_xlabel("seeds of each candidate; dashed: a look on valid", fontsize=_TEXT)
    axes.set_yticks(range(len(rows)), [_wrapped(row["label"]) for row in rows], fontsize=_TEXT, parse_math=False)
    axes.tick_params(axis="x", labelsize=_TEXT)
    axes.tick_params(axis="y", length=0)
    why = axes.secondary_yaxis("right")  # the reasons, in the order of the rows
    words = [_wrapped(reasons.get(row["label"], "")) for row in rows]
    why.set_yticks(range(len(rows)), words, fontsize=_TEXT, parse_math=False)
    why.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    why.spines["right"].set_visible(False)
    stopped = "".join(f"; stopped after {look.seeds}" for look in looks if look.stopped)
    title = f"{group_name(group['group'])}: who left when{stopped}"
    axes.set_title(title, fontsize=_TEXT + 1.5, loc="left", parse_math=False)
    return handles


def _given(row: Mapping[str, Any], looks: Sequence[Look]) -> int:
    """The seeds that it was given, by the look at which it left, else by what it has."""
    left = next((look.seeds for look in looks if row["label"] in look.left), None)
    return left or max([row["n_seeds"] + row["failed_seeds"], looks[-1].seeds])


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 20, max_lines=2, placeholder="…") or [""])
