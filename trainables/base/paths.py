"""Paths as people type them: ~ expanded, made absolute from the folder they were typed in, and shown in one line."""

import os
from pathlib import Path

from trainables.base.errors import UserError

_LONGEST_SHOWN = 200  # characters


def expanded(typed: str | os.PathLike[str]) -> Path:
    """The path with ~ and ~user replaced. Raises `UserError` for a user without a home."""
    try:
        return Path(typed).expanduser()
    except RuntimeError:
        raise UserError(
            f"{shown(typed)}: there is no such home folder; give the whole path, or ./ before the name of a folder"
        ) from None


def absolute(typed: str | os.PathLike[str], folder: Path) -> Path:
    """The path, typed in `folder`, with links followed. Raises `UserError` for one that no file can have."""
    try:
        return (folder / expanded(typed)).resolve()
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a null byte
        raise UserError(f"{shown(typed)}: is no usable path ({error}); give another") from None


def shown(path: str | os.PathLike[str]) -> str:
    r"""A name as one printable line: what is not printable, or not UTF-8, as an escape such as \n or \xff."""
    line = "".join(map(_printable, os.fspath(path)))
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}..."


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    byte = ord(character) - 0xDC00  # of a name that is not UTF-8, as Python holds it
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]
