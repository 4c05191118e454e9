"""The report's front page: the answer, the figures, and a link to every file. Opens from a disk."""

from collections.abc import Sequence
from html import escape

from sweep.report import cells
from sweep.report.cells import Row
from sweep.report.figures.forest import FOREST, describe
from sweep.report.findings_cells import cost_cells, metric_leader_cells
from sweep.report.pages import html_page
from sweep.report.result_tables import remarks
from sweep.verdict.result import Result, group_name

INDEX_FILE = "index.html"

# Captions by the start of a figure's file name, in the order of the page.
_FIGURES = {
    "forest.": "What decides: paired differences to the leader and to the baseline, with the verdict's own intervals. "
    "One that excludes zero decides.",
    "scores": "Scores on test with their intervals, which decide nothing: they hold what all candidates share.",
    "contention": "Who got further seeds: at each look on valid, candidates shown to be behind leave.",
    "pareto": "Two metrics at once: no other candidate beats those on the line in both.",
    "costs": "The score against each cost: no other candidate scores higher for less than those on the line; bold in "
    "their labels.",
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
        for title, header, rows in (*cost_cells(result, name), *metric_leader_cells(result, name)):
            tables += [f"<h3>{escape(title)}</h3>", _table(header, rows)]
        if f"listen-{name}.html" in files:
            tables.append(f'<p><a href="listen-{escape(name)}.html">Listen to {escape(name)}</a></p>')
    lines = "".join(f"<li>{escape(line)}</li>" for line in remarks(result))
    links = ", ".join(f'<a href="{escape(file)}">{escape(file)}</a>' for file in files)
    body = f"""<p>{escape(result["question"])}</p>
{"".join(tables)}
<ul class="quiet">{lines}</ul>
<h2>Figures</h2>
{"".join(_figures(result, files))}
<h2>Files</h2>
<p>{links}</p>"""
    return html_page(result["sweep"], ("page.css", "index.css"), body)


def _figures(result: Result, files: Sequence[str]) -> list[str]:
    words = {f"{FOREST}.png": "; ".join(map(describe, result["groups"]))}
    return [
        f"<figure>{_picture(file, words.get(file, caption), files)}<figcaption>{escape(caption)}</figcaption></figure>"
        for start, caption in _FIGURES.items()
        for file in files
        if file.startswith(start) and file.endswith(".png")
    ]


def _picture(file: str, words: str, files: Sequence[str]) -> str:
    """The figure, as a vector drawing where there is one, and in its narrow layout on narrow screens."""
    stem = file.removesuffix(".png")
    narrow, wide = f"{stem}-narrow.svg", f"{stem}.svg"
    shown = wide if wide in files else file
    source = f'<source media="(max-width: 60rem)" srcset="{escape(narrow)}">' if narrow in files else ""
    return f'<picture>{source}<img src="{escape(shown)}" alt="{escape(words)}" loading="lazy"></picture>'


def _table(header: Row, rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
