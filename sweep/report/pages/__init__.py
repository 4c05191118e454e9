"""The frame of the report's pages: styles and scripts are inlined, so that each opens anywhere, also offline."""

from collections.abc import Sequence
from html import escape
from importlib import resources


def html_page(title: str, styles: Sequence[str], body: str, script: str = "") -> str:
    """A whole page; `styles` and `script` name files of this folder. `body` is HTML, `title` is plain text."""
    running = f"<script>{_file(script)}</script>" if script else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{"".join(map(_file, styles))}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body}
{running}
</body>
</html>
"""


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
