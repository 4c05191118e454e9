"""Locks between processes that end with their holder: `flock` on a file that stays."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from trainables.base.errors import UserError


@contextmanager
def locked(path: Path, remedy: str, how: int = fcntl.LOCK_EX) -> Iterator[IO[str]]:
    """Hold the lock of `path`, whose folder is made if need be, and yield the open file.

    Raises:
        BlockingIOError: another process holds it, and `how` has LOCK_NB.
        UserError: the file cannot be written, or its file system has no locks; the message ends with `remedy`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot lock {path} ({error.strerror}): {remedy}") from error
    with file:
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            raise
        except OSError as error:  # of network file systems, and of some mounts in containers
            if new:
                path.unlink(missing_ok=True)
            problem = f"its file system has no locks ({error.strerror})"
            raise UserError(f"cannot lock {path}: {problem}; {remedy}") from error
        yield file
