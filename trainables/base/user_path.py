"""Paths as a user types them: `~` and `~name` stand for home folders."""

import os
from pathlib import Path

from trainables.base.errors import UserError

_LONGEST_SHOWN = 200  # characters of a path that a message repeats


def user_path(typed: str | os.PathLike[str]) -> Path:
    """The path with its home folder filled in. Raises `UserError` where there is no such home folder.

    A shell leaves ~0, ~+ and ~name as they are inside quotation marks, or where it does not know them either.
    """
    text = os.fspath(typed)
    whole = os.path.expanduser(text)  # pathlib would take ./~0 for ~0
    if text.startswith("~") and whole == text:
        shown = text[:_LONGEST_SHOWN]
        raise UserError(
            f"{shown!r}: this machine knows no home folder {shown.partition('/')[0]!r}; write the whole path (or set "
            "HOME), or ./ before the name of a folder that begins with ~"
        )
    return Path(whole)


def real_user_path(typed: str | os.PathLike[str], folder: str | os.PathLike[str] = ".") -> str:
    """The absolute path without links, from `folder` on; of links that run in circles as far as they lead."""
    return os.path.realpath(os.path.join(folder, user_path(typed)))
