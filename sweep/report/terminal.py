"""Tables and lines on the terminal, for this room and for other commands."""

import textwrap
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sweep.report.cells import Row

WIDTH = 100  # columns, where standard output is no terminal


def print_tables(
    tables: Iterable[tuple[str, Row, Sequence[Row]]], lines: Sequence[str], console: Console | None = None
) -> None:
    """Tables of (title, header, rows), then lines, to standard output."""
    console = console or standard_output()
    console.print(Group(*(console_table(*table) for table in tables), *(Text(line) for line in lines)))


def standard_output() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def print_compact(header: Row, rows: Sequence[Row], console: Console) -> None:
    """A table without a title and the empty lines around it; a title is no wider than its column's cells need."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name, *cells in zip(header, *rows, strict=True):
        title = textwrap.fill(name, max(len(cell) for cell in [*cells, *name.split(), " "]), break_long_words=False)
        table.add_column(Text(title), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def print_line(text: str, console: Console) -> None:
    """One line: on a terminal cut off at its edge, in a file whole."""
    if console.is_terminal:
        console.print(Text(text), no_wrap=True, overflow="ellipsis")
    else:
        console.print(Text(text), soft_wrap=True)


def console_table(title: str, header: Row, rows: Sequence[Row]) -> Table:
    """One table for the terminal."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
