"""What `--help-config METHOD` prints: every field that `--set` can fix, as the method's configuration declares it."""

import json
import textwrap
from dataclasses import fields
from typing import Any

from search_spaces import SPACES
from trainables.config.fields import rules_of
from trainables.config.registry import config_class

_WIDTH = 100  # columns
_LONGEST = 30  # a list of choices beyond this runs into the column of units
_INDENT = 6 * " "


def config_help(method: str) -> str:
    """Of a method, or of the one that a space sweeps: name, default, allowed values, unit and a sentence per field.

    Raises:
        UserError: there is no such method.
    """
    method = SPACES[method].method if method in SPACES else method
    kind = config_class(method)
    rules = rules_of(kind)
    rows = [(each.name, _text(each.default), rules[each.name].brief) for each in fields(kind)]
    name_width, default_width, brief_width = (max(map(len, column)) for column in zip(*rows, strict=True))
    brief_width = min(brief_width, _LONGEST)
    lines = [f"{method}: the fields of --set FIELD=VALUE (name, default, allowed values, unit)"]
    for name, default, brief in rows:
        rule = rules[name]
        if rule.section:
            lines += ["", rule.section]
        row = f"  {name:<{name_width}}  {default:<{default_width}}  {brief:<{brief_width}}  {rule.unit}"
        term = f" The paper's {rule.paper.name} ({rule.paper.formula}) is accepted too." if rule.paper else ""
        lines += [row, *textwrap.wrap(rule.help + term, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)]
    return "\n".join(lines)


def _text(default: Any) -> str:
    """As it would be written after --set."""
    return json.dumps(default) if default is None or isinstance(default, bool | tuple) else str(default)
