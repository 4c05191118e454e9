"""Every command by its name: for the scripts in sweep/, and for `speech-sweep COMMAND ...` once it is installed.

speech-sweep --help
speech-sweep run --space norm_layers
python -m sweep.commands.main status NAME
"""

import atexit
import errno
import gc
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from sweep import __version__
from sweep.core.hardware import unpin
from sweep.core.next_command import CONSOLE_SCRIPT, called_as_console_script
from trainables.base.errors import UserError

# A full or read-only disk, files that are another user's, too many open: the machine's doing, not a defect.
_REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOLCK, errno.ENOTSUP, errno.ENAMETOOLONG),
}
_OURS = {"sweep", "trainables", "search_spaces"}
COMMANDS = {
    "run": "run a sweep and print its answer: a leader per group, with interval and verdict",
    "prepare": "prepare a corpus once, for many sweeps",
    "status": "how a sweep is doing, and what to type next",
    "leaderboard": "the table of a finished sweep again, in another metric, split or compared",
    "judge": "a verdict on anyone's scores: files, standard input, an MLflow experiment",
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
    sys.path[:] = [entry for entry in sys.path if Path(os.path.realpath(entry)) != folder]
    return run_command(Path(file).stem, sys.argv[1:])


def run_command(name: str, argv: Sequence[str]) -> int:
    """The exit status; a command's module, imported only when it is run, has `build_parser()` and `run(arguments)`."""

    def command() -> int:
        unpin()
        if os.path.expanduser("~") == "~":  # a container's user without HOME: ray cannot be imported
            os.environ["HOME"] = "/"
        _refuse_unreadable(argv)
        if name not in COMMANDS:
            raise UserError(f"unknown command {name[:40]!r}: choose one of {', '.join(COMMANDS)}")
        module = import_module(f"sweep.commands.{name}")
        return int(module.run(module.build_parser().parse_args(argv)))

    return guarded(command)


def _refuse_unreadable(argv: Sequence[str]) -> None:
    """Raise `UserError` for words that neither argparse nor Python's files can deal with."""
    for word in argv:
        if "\0" in word:
            raise UserError(f"{word[:40]!r} holds a null byte; leave it out")
    if argv.count("--") > 1 or any(re.fullmatch("--[a-z-]+=--", word) for word in argv):  # argparse makes a list of it
        raise UserError("-- cannot be a value; it may stand once, before the names")


def guarded(command: Callable[[], int]) -> int:
    """Run `command` and return the exit status.

    Bad input is one line and status 2, Ctrl-C one line and 130, a dependency that is not installed, and a machine
    that refuses us its disk or its files, one line and 1.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal's encoding lacks is shown as an escape
            stream.reconfigure(errors="backslashreplace")
    atexit.register(gc.freeze)  # else the interpreter sorts through every imported module as it exits: 1.5 s
    try:
        _require_current_folder()
        return command()
    except UserError as error:
        return _failed("\n  ".join(map(_printable, (f"error: {error.lines[0]}", *error.lines[1:]))), 2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise
        return _failed(
            f"error: speech-sweep is not installed for {sys.executable} ({error}): "
            "in its repository, run `pip install .`, or `make sweep`",
            1,
        )
    except KeyboardInterrupt as stop:
        return _failed(_printable(f"interrupted{f': {stop}' if str(stop) else ''}"), 130)
    except BrokenPipeError:  # the reader (head, less) has quit, which is not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return _failed(_printable(f"error: {error.filename or 'this machine'}: {error.strerror}"), 1)


def _require_current_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(f"the current folder cannot be used ({error.strerror}): change to another one") from error


def _failed(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _printable(line: str) -> str:
    """What was typed on one line, whatever it holds: line breaks and a terminal's commands as escapes."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)


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
