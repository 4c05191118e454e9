"""A sweep's result as one view, for every output format."""

from collections.abc import Iterator

from rich.console import Console

from sweep.report import cells
from sweep.report.findings_cells import curve_cells, finding_lines, metric_cells, snr_cells, switch_cells
from sweep.report.output_formats import Table, View
from sweep.report.terminal import print_tables
from sweep.verdict.result import Result, group_name, records


def result_view(result: Result, form: str) -> View:
    """The leaderboard and every group's candidates, best first, ready for one of `output_formats.FORMATS`.

    A Markdown page has all findings too; the terminal has those of the deciding metric. A record is a group's
    candidate, unrounded.
    """
    shown: list[Table] = [(result["sweep"], *cells.leaderboard(result))]
    for group in result["groups"]:
        shown.append((group_name(group["group"]), *cells.candidates(group, result["metric"])))
        if form == "markdown" and group["by_noise_type"]["types"]:
            shown.append(("", *cells.noise_types(group, result["metric"])))
    lines = cells.footers(result)
    if form in ("table", "markdown"):
        shown += _findings(result, everything=form == "markdown")
        lines += finding_lines(result)
    return View(title=result["sweep"], plain=result, records=records(result), tables=shown, lines=lines)


def print_result(result: Result, console: Console | None = None) -> None:
    """The leaderboard, each group's candidates, and what they rest on, to standard output."""
    view = result_view(result, "table")
    print_tables(view.tables, view.lines, console)


def _findings(result: Result, everything: bool) -> Iterator[Table]:
    by_snr = list(snr_cells(result))
    if everything:
        yield from metric_cells(result)
    yield from by_snr if everything else by_snr[: len(result["groups"])]
    yield from curve_cells(result)
    yield from switch_cells(result)
