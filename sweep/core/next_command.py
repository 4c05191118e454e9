"""Copy-pasteable follow-up commands: in the form the user called us by, and finding the sweep wherever it lies."""

import contextlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

CONSOLE_SCRIPT = "speech-sweep"
_called_as = ["script"]  # "script" for python sweep/NAME.py, else CONSOLE_SCRIPT; the last entry counts
_left: list[Path] = []  # the user's folder, while the process works in another


def typed(command: str) -> str:
    """How this user types a command: `python sweep/NAME.py`, or `speech-sweep NAME` where that was called."""
    return f"{CONSOLE_SCRIPT} {command}" if _called_as[-1] == CONSOLE_SCRIPT else f"python sweep/{command}.py"


def command_line(command: str, output: str) -> str:
    """`python sweep/COMMAND.py NAME` for the sweep in `output`, with --output unless the default finds it.

    `command` may carry flags, as in "run --resume".
    """
    name, *flags = command.split()
    base, _, sweep = output.rpartition("/")
    return " ".join([typed(name), *flags, sweep]) + _where(base or "/")


def next_lines(why: str, *commands: str) -> str:
    """The end of what a command prints: `commands` alone on their lines, so that each can be pasted."""
    return "\n".join([f"Type next {why}:", *commands])


def _where(base: str) -> str:
    folder = _left[-1] if _left else Path.cwd()
    if base == str(folder / "sweeps") and not os.environ.get("SPEECH_SWEEP_OUTPUT"):
        return ""
    if Path(base).is_relative_to(folder):
        relative = str(Path(base).relative_to(folder))
        # else it would be read as a flag, a home folder or a bucket
        base = base if relative.startswith(("-", "~", "s3:")) else relative
    return f" --output {shlex.quote(base)}"


def called_as_console_script() -> contextlib.AbstractContextManager[None]:
    """Until the end, commands are written as `speech-sweep NAME`."""
    return _while_last(_called_as, CONSOLE_SCRIPT)


def typed_in(folder: Path) -> contextlib.AbstractContextManager[None]:
    """While the process works elsewhere, commands are still written for the user's own `folder`."""
    return _while_last(_left, folder)


@contextlib.contextmanager
def _while_last(stack: list[T], item: T) -> Iterator[None]:
    stack.append(item)
    try:
        yield
    finally:
        stack.pop()
