"""Tables and lines on the terminal, for this room and for other commands."""

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
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
    console.print(Group(*(console_table(*table) for table in tables), *(Text(line) for line in lines)))


def console_table(title: str, header: Row, rows: Sequence[Row]) -> Table:
    """One table for the terminal."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
