"""The verdicts as one self-contained HTML page: forest plot, table, what a winner would take, how it was read."""

import base64
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.judging.view import Judged, judged_view, needed, selection, table_of
from sweep.report.pages import html_page
from sweep.verdict.judgement import conditions, headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sweep.verdict.result import JudgedGroup

_STYLES = ("page.css", "index.css", "judge.css")


def judged_page(judged: Judged) -> str:
    """HTML that opens anywhere, also offline and on paper."""
    body = [_group(judged, group) for group in judged.groups]
    notes = judged_view(judged).lines
    said = {line for group in judged.groups for line in (*_first(judged, group), *needed(group))}
    kept = [note for note in notes if note != judged.said and note.partition(": ")[2] not in said and note not in said]
    body += ["<h2>Notes</h2>", _list(kept)] if kept else []
    body.append(f'<h2>How it was read</h2><p class="read">{escape(judged.said)}</p>')
    return html_page(judged.title, _STYLES, "\n".join(body))


def _first(judged: Judged, group: "JudgedGroup") -> list[str]:
    return [conditions(group), *(selection(judged, group) if judged.nominated_on else ())]


def _group(judged: Judged, group: "JudgedGroup") -> str:
    _, header, rows = table_of(judged, group)
    parts = [
        f'<p class="verdict">{escape(headline(group))}</p>',
        *(f"<p>{escape(line)}</p>" for line in _first(judged, group)),
        _forest(judged, group),
        _table(header, rows),
    ]
    wanted = [*needed(group)]
    if wanted:
        parts += ["<h2>What would be needed</h2>", _list(wanted)]
    return "\n".join(parts)


def _forest(judged: Judged, group: "JudgedGroup") -> str:
    """Wide and narrow; figures are images of their own, so that none shares names with another."""
    if all(row["behind_leader"] is None for row in group["candidates"]):
        return ""
    from sweep.report.figures.forest import describe, forest_plot

    wide, narrow = (_image(forest_plot([group], judged.metric_name, columns=columns)) for columns in (2, 1))
    words = escape(describe(group), quote=True)
    return (
        f'<figure><picture><source media="(max-width: 760px)" srcset="{narrow}"><img src="{wide}" alt="{words}">'
        "</picture><figcaption>Paired differences with the intervals that decide; to the right is better, and an "
        "interval that excludes zero is a difference shown.</figcaption></figure>"
    )


def _image(figure: "Figure") -> str:
    """An SVG as a data address."""
    from sweep.report.figures.panels import save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        save(figure, path)
        return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
