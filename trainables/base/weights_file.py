"""Files of weights that a user names: whether this machine can read them, and a digest of their contents.

Copying or touching them does not change the digest.
"""

import hashlib
import os
import socket
import stat
from functools import lru_cache
from pathlib import Path

from trainables.base.errors import UserError
from trainables.base.paths import shown


def require_here(path: Path) -> Path:
    """The path itself. Raises `UserError`, naming the machine, unless it is a file or a folder that can be read here.

    On a cluster a stage may run on a machine that lacks what the driver's has.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise UserError(f"checkpoint {shown(path)}: neither a file nor a folder; give the weights' own path")
        if os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(kind) else 0)):
            return path
        problem = "Permission denied"
    except OSError as error:
        problem = str(error.strerror)
    raise UserError(
        f"no checkpoint at {shown(path)} on machine {socket.gethostname()} ({problem}): check the path; on a cluster "
        "every machine needs the file, readable, at the same path"
    )


def content_digest(path: Path) -> str:
    """SHA-256 of the file, or of the names and contents of the folder's own files.

    Every job of a sweep asks for it, so a file that has kept its size and time is read once in a process.

    Raises:
        UserError: not here, or unreadable.
    """
    require_here(path)
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    return _digest(tuple((each, each.stat().st_size, each.stat().st_mtime_ns) for each in files), path.is_dir())


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[Path, int, int], ...], named: bool) -> str:
    total = hashlib.sha256()
    for path, size, _ in files:
        if named:
            total.update(f"{path.name}:{size}\n".encode())
        with require_here(path).open("rb") as file:
            while chunk := file.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
