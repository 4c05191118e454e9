"""What `--help-config METHOD` prints: every field that `--set` can fix, as the configuration declares it."""

import json
import textwrap
from dataclasses import fields
from typing import Any

from search_spaces import SPACES, find_space
from search_spaces.space_file import is_space_file
from trainables.config.fields import rules_of
from trainables.config.registry import config_class

_WIDTH = 100  # columns
_LONGEST = 30  # a list of choices beyond this runs into the column of units
_INDENT = 6 * " "


def config_help(name: str) -> str:
    """Of a method, or of all whose candidates a space compares: default, allowed values, unit and a sentence per field.

    `--set` fixes a field for every candidate whose method has it.

    Raises:
        UserError: there is no such method, or a space's file cannot be used.
    """
    methods = find_space(name).methods if name in SPACES or is_space_file(name) else (name,)
    return "\n\n".join(map(_method_help, methods))


def _method_help(method: str) -> str:
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
