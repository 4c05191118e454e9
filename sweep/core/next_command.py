"""The lines a user is told to type: each can be pasted as it stands, wherever the sweep lies."""

import contextlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

_left: list[Path] = []  # the user's folder, while the process works in another


def command_line(script: str, output: str) -> str:
    """`python sweep/SCRIPT NAME` for the sweep in `output`, with --output where it would not be found without."""
    base, _, name = output.rpartition("/")
    return f"python sweep/{script} {name}{_where(base or '/')}"


def _where(base: str) -> str:
    folder = _left[-1] if _left else Path.cwd()
    if base == str(folder / "sweeps") and not os.environ.get("SPEECH_SWEEP_OUTPUT"):
        return ""
    below = Path(base).is_relative_to(folder)
    return f" --output {shlex.quote(str(Path(base).relative_to(folder)) if below else base)}"


@contextlib.contextmanager
def typed_in(folder: Path) -> Iterator[None]:
    """While the process works elsewhere, lines are still written for the folder where its user is."""
    _left.append(folder)
    try:
        yield
    finally:
        _left.pop()
