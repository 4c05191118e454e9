"""What the commands share: their parser, and the arguments that name a sweep."""

import argparse
import re
import sys
from typing import TYPE_CHECKING

from sweep.core.next_command import CONSOLE_SCRIPT, typed

if TYPE_CHECKING:
    from sweep.plan.plan import Plan
    from trainables.base.storage.storage import Storage


def command_parser(name: str, description: str, examples: str = "") -> argparse.ArgumentParser:
    """The parser of a command; commands in its texts are written the way the user typed this one."""
    return argparse.ArgumentParser(
        prog=typed(name) if typed(name).startswith(CONSOLE_SCRIPT) else f"{name}.py",
        description=description,
        epilog=re.sub(r"python sweep/(\w+)\.py", lambda found: typed(found[1]), examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_sweep_arguments(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """NAME and --output; `optional` where the command may do without a name."""
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?" if optional else None,
        help="the sweep's name, as the run printed it",
    )
    add_output_argument(parser)


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="BASE",
        help="the folder or s3://bucket/prefix that holds the sweep (default SPEECH_SWEEP_OUTPUT, else ./sweeps)",
    )


def open_sweep(arguments: argparse.Namespace) -> "tuple[Plan, Storage]":
    """The sweep's plan and files. Raises `UserError`, naming the known sweeps, if there is no such sweep."""
    from sweep.stored.place import is_also_in, left_behind
    from sweep.stored.reading import stored_sweep

    plan, storage = stored_sweep(arguments.name, arguments.output)
    named = left_behind(storage)
    if named is not None and "://" not in named and is_also_in(storage, named):
        print(f"note: this sweep is also in {named}; what follows is of {storage.uri}", file=sys.stderr)
    return plan, storage
