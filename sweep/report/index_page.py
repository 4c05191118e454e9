"""The report's front page: the answer, the figures, and a link to every file. Opens from a disk."""

from collections.abc import Sequence
from html import escape

from sweep.report import cells
from sweep.report.cells import Row
from sweep.report.pages import html_page
from sweep.report.result_tables import remarks
from sweep.verdict.result import Result, group_name

INDEX_FILE = "index.html"

# Captions by the start of a figure's file name, in the order of the page.
_FIGURES = {
    "scores": "Scores on test with their intervals. The verdict compares paired differences, which are narrower.",
    "pareto": "Two metrics at once: no other candidate beats those on the line in both.",
    "curves.": "Finalists on valid during training; triangles mark switches of a schedule.",
    "switches": "Label switches during training.",
    "curves-search": "Every search trial on valid; a cross marks early stopping.",
    "history": "The best score of the search so far.",
    "parallel": "Complete search trials: which values went with which score.",
    "importance": "Importance of each parameter in the search (complete trials only).",
}


def index_page(result: Result, files: Sequence[str]) -> str:
    """HTML with links to `files`, which are in the same folder."""
    groups = result["groups"]
    tables = [_table(*cells.leaderboard(result))]
    for group in groups:
        name = group_name(group["group"])
        tables += [f"<h2>{escape(name)}</h2>", _table(*cells.candidates(group, result["metric"]))]
        if f"listen-{name}.html" in files:
            tables.append(f'<p><a href="listen-{escape(name)}.html">Listen to {escape(name)}</a></p>')
    lines = "".join(f"<li>{escape(line)}</li>" for line in remarks(result))
    links = ", ".join(f'<a href="{escape(file)}">{escape(file)}</a>' for file in files)
    body = f"""<p>{escape(result["question"])}</p>
{"".join(tables)}
<ul class="quiet">{lines}</ul>
<h2>Figures</h2>
{"".join(_figures(files))}
<h2>Files</h2>
<p>{links}</p>"""
    return html_page(result["sweep"], ("page.css", "index.css"), body)


def _figures(files: Sequence[str]) -> list[str]:
    return [
        f'<figure><img src="{escape(file)}" alt="{escape(words)}" loading="lazy"><figcaption>{escape(words)}'
        "</figcaption></figure>"
        for start, words in _FIGURES.items()
        for file in files
        if file.startswith(start) and file.endswith(".png")
    ]


def _table(header: Row, rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
