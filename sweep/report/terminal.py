"""Shows a result (what `--json` says): tables for the terminal and Markdown, and a plot.

Numbers come from the verdict; nothing is computed here.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sweep.report import cells as report_cells
from sweep.report.cells import Row
from sweep.report.figures.scores import score_plot
from sweep.report.findings_cells import curve_cells, finding_lines, metric_cells, snr_cells, switch_cells
from sweep.verdict.result import GroupResult, Result, group_name

__all__ = ["candidates_table", "leaderboard_table", "print_result", "score_plot", "to_markdown"]

WIDTH = 100  # columns, where standard output is no terminal


def leaderboard_table(result: Result) -> Table:
    """One row per group; fits 100 columns."""
    return console_table(f"{result['sweep']}", *report_cells.leaderboard(result))


def candidates_table(group: GroupResult, metric: str) -> Table:
    """One row per candidate of `group`, best first."""
    return console_table(group_name(group["group"]), *report_cells.candidates(group, metric))


def print_result(result: Result, console: Console | None = None) -> None:
    """The leaderboard, each group's candidates, and what they rest on, to standard output."""
    details = [candidates_table(group, result["metric"]) for group in result["groups"]]
    shown = (*_deciding_snr_tables(result), *curve_cells(result), *switch_cells(result))
    details += [console_table(*table) for table in shown]
    footers = [*report_cells.footers(result), *finding_lines(result)]
    print_tables([leaderboard_table(result), *details], footers, console)


def print_tables(tables: Sequence[Table], footers: Sequence[str], console: Console | None = None) -> None:
    """Tables and then lines, to standard output."""
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    console.print(Group(*tables, *(Text(line) for line in footers)))


def to_markdown(result: Result) -> str:
    """The same tables and lines as a Markdown page."""
    parts = [f"# {result['sweep']}", markdown_table(*report_cells.leaderboard(result))]
    for group in result["groups"]:
        parts.append(f"## {group_name(group['group'])}")
        parts.append(markdown_table(*report_cells.candidates(group, result["metric"])))
        if group["by_noise_type"]["types"]:
            parts.append(markdown_table(*report_cells.noise_types(group, result["metric"])))
    shown = (*metric_cells(result), *snr_cells(result), *curve_cells(result), *switch_cells(result))
    for title, header, rows in shown:
        parts += [f"## {title}", markdown_table(header, rows)]
    lines = [*report_cells.footers(result), *finding_lines(result)]
    parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def _deciding_snr_tables(result: Result) -> list[tuple[str, Row, list[Row]]]:
    """Of the deciding metric alone: the others are in the Markdown page."""
    groups = len(result["groups"])
    return list(snr_cells(result))[:groups]


def console_table(title: str, header: Row, rows: Sequence[Row]) -> Table:
    """A table for the terminal."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def markdown_table(header: Row, rows: Sequence[Row]) -> str:
    """The same for a Markdown page."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
