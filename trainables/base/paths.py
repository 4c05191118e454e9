"""Paths of a user: made absolute from the folder they were typed in, and shown in one line."""

import os
import re
from pathlib import Path

from trainables.base.errors import UserError
from trainables.base.user_path import user_path

_LONGEST_SHOWN = 1000  # characters
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and what UTF-8 cannot hold


def absolute(typed: str | os.PathLike[str], folder: Path) -> Path:
    """The path, typed in `folder`, with links followed.

    Raises:
        UserError: no file can have it, or tables, databases and pages cannot hold its name.
    """
    try:
        path = (folder / user_path(typed)).resolve()
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a null byte
        raise UserError(f"{shown(typed)}: is no usable path ({shown(str(error))}); give another") from None
    if not is_text(str(path)):
        raise UserError(f"{shown(path)}: holds control characters or bytes that are not UTF-8; rename it")
    return path


def is_text(name: str) -> bool:
    """Whether a name holds neither control characters nor bytes that are not UTF-8."""
    return _NO_TEXT.search(name) is None


def shown(path: str | os.PathLike[str]) -> str:
    r"""A name as one printable line: what is not printable, or not UTF-8, as an escape such as \n or \xff."""
    line = "".join(map(_printable, os.fspath(path)))
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}..."


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    byte = ord(character) - 0xDC00  # of a name that is not UTF-8, as Python holds it
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]
