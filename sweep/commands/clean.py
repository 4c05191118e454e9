"""`clean`: lists what takes space, and frees what is named."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.commands.common import add_output_argument, command_parser
from trainables.base.errors import UserError

if TYPE_CHECKING:
    from sweep.commands.freeable import Freeable

_DESCRIPTION = """\
List what the cache (SPEECH_SWEEP_CACHE) and the sweeps' checkpoints take, the largest first. Nothing is deleted
unless --free names it. A running sweep is never touched, and a winner's checkpoints are never deleted.
"""
_EXAMPLES = """\
examples
  python sweep/clean.py                       list only
  python sweep/clean.py --free cache/stages   a part of the cache; it is computed again when it is needed
  python sweep/clean.py --free NAME           the checkpoints that sweep no longer needs
  python sweep/clean.py --free all            everything in the list's first column
"""
_ALL = "all"


def build_parser() -> argparse.ArgumentParser:
    parser = command_parser("clean", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--free", metavar="WHAT", help="a name from the list, or 'all': shown first, then deleted")
    add_output_argument(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from sweep.commands.freeable import everything
    from sweep.stored.reading import base_of
    from trainables.base.cache import cache_folder

    found = everything(arguments.output)
    if arguments.free is None:
        _show(found, f"cache {cache_folder()}, sweeps in {base_of(arguments.output)}; --free WHAT deletes")
        return 0
    chosen = _chosen(found, arguments.free)
    _show(chosen, "freeing these")
    for item in chosen:
        if item.free is not None:
            item.free()
    print(f"freed {size_text(sum(item.bytes for item in chosen))}")
    return 0


def _chosen(found: Sequence["Freeable"], what: str) -> list["Freeable"]:
    if what == _ALL:
        return [item for item in found if item.free is not None and item.bytes]
    for item in found:
        if item.name == what and item.free is None:
            raise UserError(f"--free {what}: {item.meaning}")
        if item.name == what:
            return [item]
    names = ", ".join(item.name for item in found) or "nothing"
    raise UserError(f"--free {what!r}: not in the list; there is {names}")


def _show(items: Sequence["Freeable"], line: str) -> None:
    from sweep.report.terminal import print_tables

    rows = [[item.name, size_text(item.bytes), size_text(item.kept), item.meaning] for item in items]
    total = [size_text(sum(sizes)) for sizes in ((item.bytes for item in items), (item.kept for item in items))]
    table = ("", ["name", "can be freed", "stays", ""], [*rows, ["total", *total, ""]])
    print_tables([table], [line])


def size_text(count: int) -> str:
    """A number of bytes, rounded: 812 B, 4.1 kB, 36.0 MB, 1.2 GB."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
