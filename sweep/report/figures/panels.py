"""A row of panels, one per group: how the figures of the report are laid out, and how all of them are saved."""

import warnings
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_of(inches: tuple[float, float]) -> "Figure":
    """An empty figure of this width and height; it needs no display and no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panelled(panels: int, inches: tuple[float, float]) -> tuple["Figure", list[Any]]:
    """A figure and its axes, left to right; `inches` are the width and height of one panel."""
    width, height = inches
    figure = figure_of((width * max(panels, 1), height))
    return figure, [figure.add_subplot(1, panels, column + 1) for column in range(panels)]


def save(figure: "Figure", path: str | PathLike[str]) -> None:
    """Write a PNG, or an SVG where the name ends so, without metadata: equal figures give equal bytes."""
    from matplotlib import rc_context

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box in the figure; the tables have the name
        if fspath(path).endswith(".svg"):
            with rc_context({"svg.hashsalt": "speech-sweep"}):  # else the names of its parts are drawn at random
                figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
