"""What the commands share: their parser, and the arguments that name a sweep."""

import argparse
import re
import sys
from typing import TYPE_CHECKING

from sweep.core.next_command import CONSOLE_SCRIPT, command_line, next_lines, typed

if TYPE_CHECKING:
    from sweep.plan.plan import Plan
    from sweep.verdict.result import Result
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


def print_answer(plan: "Plan", output: str, result: "Result", details: bool = False) -> None:
    """A result on the screen: details first, then the leaderboard, and the two commands to type next."""
    from sweep.report.result_tables import print_result
    from sweep.tracking.mlflow_page import open_command, sweep_page

    page = sweep_page(plan)
    print(f"results    {output}\nMLflow     {page}\n")
    left_out = print_result(result, details)
    again = command_line("leaderboard", output)
    more = f"for {left_out} more remarks" if left_out else "for all tables"
    why = "for other views" if details else more
    first = f"{again} --by noise_type" if details else f"{again} --details"
    print("\n" + next_lines(f"{why}, or for the runs in MLflow", first, open_command(plan.tracking_uri, page)))
