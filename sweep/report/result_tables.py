"""A sweep's result as one view, for every output format, and as what is left on the screen."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from sweep.report import cells
from sweep.report.findings_cells import (
    alarm_lines,
    cost_cells,
    cost_lines,
    curve_cells,
    finding_lines,
    metric_cells,
    metric_leader_cells,
    rate_cells,
    snr_cells,
    switch_cells,
)
from sweep.report.output_formats import Table, View
from sweep.report.terminal import print_compact, print_line, print_tables, standard_output
from sweep.verdict.result import Result, group_name, records

MOST_REMARKS = 3  # under a leaderboard on the screen


def remarks(result: Result) -> list[str]:
    """What is to be said about a result, one fact per line, the weightiest first."""
    return [*cells.warnings(result), *alarm_lines(result), *cells.footers(result), *finding_lines(result)]


def result_view(result: Result, form: str) -> View:
    """The leaderboard and every group's candidates, best first, ready for one of `output_formats.FORMATS`.

    A Markdown page has all findings too. A record is a group's candidate, unrounded.
    """
    shown: list[Table] = [(result["sweep"], *cells.leaderboard(result))]
    for group in result["groups"]:
        shown.append((group_name(group["group"]), *cells.candidates(group, result["metric"])))
        if form == "latex":
            shown += cost_cells(result, group_name(group["group"]))
        if form == "markdown" and group["by_noise_type"]["types"]:
            shown.append(("", *cells.noise_types(group, result["metric"])))
    if form == "markdown":
        shown += _findings(result, everything=True)
    return View(title=result["sweep"], plain=result, records=records(result), tables=shown, lines=remarks(result))


def cost_view(result: Result) -> View:
    """What each candidate costs, ready to be shown."""
    return View(
        title=f"{result['sweep']}: costs",
        plain={"sweep": result["sweep"], "metric": result["metric"], "costs": result["costs"]},
        records=records(result),
        tables=list(cost_cells(result)),
        lines=[*cells.comparisons(result), *cost_lines(result["costs"])],
    )


def print_result(result: Result, details: bool = False, console: Console | None = None) -> int:
    """The findings, every candidate, and last the leaderboard with its weightiest remarks, to standard output.

    With `details` all findings are printed, and all remarks, above the leaderboard. Returns the number of remarks that
    were left out.
    """
    console = console or standard_output()
    said = remarks(result)
    print_tables(_findings(result, everything=details), said if details else (), console)
    console.print()
    print_compact(*cells.all_candidates(result), console)
    console.print()
    console.print(Text(cells.headline(result)))
    print_compact(*cells.leaderboard(result), console)
    if details:
        return 0
    for remark in said[:MOST_REMARKS]:
        print_line(remark, console)
    return max(0, len(said) - MOST_REMARKS)


def _findings(result: Result, everything: bool) -> Iterator[Table]:
    by_snr = list(snr_cells(result))
    if everything:
        yield from metric_cells(result)
        yield from rate_cells(result)
        yield from metric_leader_cells(result)
    yield from by_snr if everything else by_snr[: len(result["groups"])]
    yield from curve_cells(result)
    yield from switch_cells(result)
    yield from cost_cells(result)
