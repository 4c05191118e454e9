"""The finalists' training, one panel per group and one line per candidate: learning curves and label switches."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, TypeVar

import numpy as np

from sweep.report.figures.panels import panelled, save
from sweep.verdict.result import LabelSwitches, LearningCurve
from trainables.metrics.catalogue import METRICS

_CURVE_INCHES = (6.4, 4.0)
_SWITCH_INCHES = (6.4, 3.2)


def curve_plot(curves: Sequence[LearningCurve], metric: str, path: str | PathLike[str]) -> None:
    """Write a PNG of scores on valid; triangles mark where a schedule switches."""
    label = f"{METRICS[metric].title} on valid, mean over seeds"
    save(_over_epochs(curves, _draw_curve, label, _CURVE_INCHES), path)


def switch_plot(switches: Sequence[LabelSwitches], path: str | PathLike[str]) -> None:
    """Write a PNG of label switches per round (Fig. 2 of the paper, see docs/separation.md); triangles mark phases."""
    save(_over_epochs(switches, _draw_switches, "label switches (%), mean over seeds", _SWITCH_INCHES), path)


_Entry = TypeVar("_Entry", LearningCurve, LabelSwitches)


def _over_epochs(
    entries: Sequence[_Entry],
    draw: Callable[[Any, _Entry], None],
    label: str,
    inches: tuple[float, float],
) -> Any:
    groups = list(dict.fromkeys(entry["group"] for entry in entries))
    figure, panels = panelled(len(groups), inches)
    for axes, group in zip(panels, groups, strict=True):
        for entry in (entry for entry in entries if entry["group"] == group):
            draw(axes, entry)
        axes.set_title(group, fontsize="medium")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False)
    figure.supylabel(label, fontsize="medium")
    return figure


def _draw_curve(axes: Any, curve: LearningCurve) -> None:
    (line,) = axes.plot(curve["epochs"], curve["score"], label=curve["candidate"], linewidth=1.4)
    _mark(axes, line, curve["switches"])


def _mark(axes: Any, line: Any, epochs: Sequence[float]) -> None:
    axes.plot(epochs, np.interp(epochs, *line.get_data()), "v", color=line.get_color(), markersize=5)


def _draw_switches(axes: Any, entry: LabelSwitches) -> None:
    (line,) = axes.plot(entry["epochs"], entry["switch"], marker=".", label=entry["candidate"], linewidth=1.4)
    _mark(axes, line, entry.get("phases", []))
    axes.set_ylim(bottom=0)
