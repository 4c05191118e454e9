"""A row of panels, one per group: how every figure of the report is laid out and saved."""

from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def panelled(panels: int, inches: tuple[float, float]) -> tuple["Figure", list[Any]]:
    """A figure and its axes, left to right; `inches` are the width and height of one panel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = inches
    figure = Figure(figsize=(width * max(panels, 1), height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, panels, column + 1) for column in range(panels)]


def save(figure: "Figure", path: str | PathLike[str]) -> None:
    """Write a PNG without metadata: equal figures give equal bytes."""
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
