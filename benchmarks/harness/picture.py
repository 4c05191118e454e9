"""The curves of all parts as one picture, each in a panel of its own, on logarithmic axes."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.findings import Curve


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Write a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4 * columns, 3 * rows), squeeze=False, layout="constrained")
    for panel in axes.flat[len(curves) :]:
        panel.set_axis_off()
    for panel, curve in zip(axes.flat, curves, strict=False):
        x, y = zip(*curve.points, strict=True)
        panel.plot(x, y, marker="o")
        panel.set(xscale="log", title=curve.what, xlabel=curve.x, ylabel=curve.y)
        panel.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        panel.set_xticks([], minor=True)
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
