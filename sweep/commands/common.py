"""What the commands share: their parser, the arguments that name a sweep, and errors as one line with a status.

Imports nothing outside the standard library, so that a missing dependency can still be reported.
"""

import argparse
import atexit
import gc
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweep.core.next_command import CONSOLE_SCRIPT, typed
from trainables.base.errors import UserError

if TYPE_CHECKING:
    from sweep.plan.plan import Plan
    from trainables.base.storage.storage import Storage

_OURS = {"sweep", "trainables", "search_spaces"}


def guarded(command: Callable[[], int]) -> int:
    """Run `command` and return the exit status.

    Bad input is one line and status 2, Ctrl-C one line and 130, a dependency that is not installed one line and 1.
    """
    atexit.register(gc.freeze)  # else the interpreter sorts through every imported module as it exits: 1.5 s
    try:
        return command()
    except UserError as error:
        return _failed(f"error: {error}", 2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise
        return _failed(
            f"error: speech-sweep is not installed for {sys.executable} ({error}): "
            "in its repository, run `pip install .`, or `make sweep`",
            1,
        )
    except KeyboardInterrupt as stop:
        return _failed(f"interrupted{f': {stop}' if str(stop) else ''}", 130)
    except BrokenPipeError:  # the reader (head, less) has quit, which is not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _failed(line: str, status: int) -> int:
    print(line, file=sys.stderr)
    return status


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
    from sweep.stored.reading import stored_sweep

    return stored_sweep(arguments.name, arguments.output)
