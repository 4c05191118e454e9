"""One view, in every format a leaderboard is printed in: terminal tables, Markdown, LaTeX, JSON, CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.report.cells import Row
from sweep.report.terminal import print_tables

FORMATS = ("table", "markdown", "json", "csv", "latex")

_SPECIAL_IN_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"\textless{}",
    ">": r"\textgreater{}",
}  # fmt: skip


Table = tuple[str, Row, Sequence[Row]]  # title, header, rows


@dataclass(frozen=True, kw_only=True)
class View:
    """`plain` is the JSON object, `records` are the rows of the CSV file, `tables` are rounded, and `lines` follow
    the tables and say what they are based on."""

    title: str
    plain: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    tables: Sequence[Table]
    lines: Sequence[str] = ()


def print_view(view: View, form: str) -> None:
    """Print it on standard output in one of FORMATS."""
    if form == "table":
        print_tables(view.tables, view.lines)
        return
    written = {"markdown": to_markdown, "json": to_json, "csv": to_csv, "latex": to_latex}
    print(written[form](view), end="")


def to_json(view: View) -> str:
    return json.dumps(view.plain) + "\n"


def to_csv(view: View) -> str:
    """One line per record, unrounded; unknown values are empty."""
    buffer = io.StringIO()
    if view.records:
        writer = csv.DictWriter(buffer, list(view.records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(view.records)
    return buffer.getvalue()


def to_markdown(view: View) -> str:
    parts = [f"# {view.title}"]
    for title, header, rows in view.tables:
        parts += [f"## {title}"] if title not in ("", view.title) else []
        parts.append(_markdown_table(header, rows))
    if view.lines:
        parts.append("\n".join(f"- {line}" for line in view.lines))
    return "\n\n".join(parts) + "\n"


def _markdown_table(header: Row, rows: Sequence[Row]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def to_latex(view: View) -> str:
    """Tables for a paper, with `booktabs`; numbers are right-aligned, and the lines are comments."""
    comments = [f"% {line}" for line in (view.title, *view.lines)]
    tables = [_latex_table(*table) for table in view.tables]
    return "\n".join(["\n".join(comments), *tables]) + "\n"


def _latex_table(title: str, header: Row, rows: Sequence[Row]) -> str:
    columns = "l" + "r" * (len(header) - 1)
    head, *body = (" & ".join(map(escaped, row)) + r" \\" for row in (header, *rows))
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escaped(title)}}}"]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", r"\end{table}"])


def escaped(text: str) -> str:
    """The text as LaTeX prints it."""
    return "".join(_SPECIAL_IN_LATEX.get(character, character) for character in text)
