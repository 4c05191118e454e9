"""Every command by its name: for the scripts in sweep/, and for `speech-sweep COMMAND ...` once it is installed.

speech-sweep --help
speech-sweep run --space norm_layers
python -m sweep.commands.main status NAME
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from sweep import __version__
from sweep.commands.common import guarded
from sweep.core.next_command import CONSOLE_SCRIPT, called_as_console_script
from trainables.base.errors import UserError

COMMANDS = {
    "run": "run a sweep and print its answer: a leader per group, with interval and verdict",
    "prepare": "prepare a corpus once, for many sweeps",
    "status": "how a sweep is doing, and what to type next",
    "leaderboard": "the table of a finished sweep again, in another metric, split or compared",
    "stop": "stop a running sweep cleanly, from another shell",
    "enhance": "enhance or separate a recording with a sweep's winner",
    "replay": "train one job again and compare the bits",
    "clean": "list what caches and checkpoints take, and free it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """`speech-sweep`: the exit status of the command that `argv` names (default: the process's arguments)."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(_overview())
        return 0
    if name == "--version":
        print(f"{CONSOLE_SCRIPT} {__version__}")
        return 0
    with called_as_console_script():
        return run_command(name, rest)


def run_script(file: str) -> int:
    """The script `file` in sweep/, by its name, with its folder off the module path: it holds no modules."""
    folder = Path(file).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    return run_command(Path(file).stem, sys.argv[1:])


def run_command(name: str, argv: Sequence[str]) -> int:
    """The exit status; a command is imported only when it is run."""

    def command() -> int:
        if name not in COMMANDS:
            raise UserError(f"unknown command {name[:40]!r}: choose one of {', '.join(COMMANDS)}")
        return int(import_module(f"sweep.commands.{name}").main(argv))

    return guarded(command)


def _overview() -> str:
    commands = "\n".join(f"  {name:<12} {summary}" for name, summary in COMMANDS.items())
    return f"""usage: {CONSOLE_SCRIPT} COMMAND [ARGUMENT ...]

Distributed hyperparameter sweeps for speech enhancement and separation that end in an answer.

commands
{commands}

{CONSOLE_SCRIPT} COMMAND --help explains a command, with examples. To begin:
  {CONSOLE_SCRIPT} run --space norm_layers"""


if __name__ == "__main__":
    sys.exit(main())
