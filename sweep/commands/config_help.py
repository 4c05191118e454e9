"""What `--help-config METHOD` prints: every field that `--set` can fix, its default and what it may be."""

import json
from dataclasses import fields
from typing import Any

from search_spaces import SPACES
from trainables.config.registry import config_class


def config_help(method: str) -> str:
    """Of a method, or of the one that a space sweeps. Raises `UserError` for a name there is not."""
    method = SPACES[method].method if method in SPACES else method
    kind = config_class(method)
    allowed = kind.allowed_values()
    rows = [
        (field.name, _text(field.default), allowed.get(field.name, _type(field.type)))
        for field in fields(kind)
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{method}: fields for --set FIELD=VALUE, their defaults and what they may be", ""]
    return "\n".join(
        [*lines, *(f"  {name:<{widths[0]}}  {default:<{widths[1]}}  {may}" for name, default, may in rows)]
    )


def _text(default: Any) -> str:
    """As it would be written after --set."""
    return json.dumps(default) if default is None or isinstance(default, bool | tuple) else str(default)


def _type(annotation: Any) -> str:
    named = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return named.replace("None", "null")
