"""A digest of the contents of weights, a file or a folder of files: copying or touching them does not change it."""

import hashlib
from functools import lru_cache
from pathlib import Path


def content_digest(path: Path) -> str:
    """SHA-256 of the file, or of the names and contents of the folder's own files.

    Every job of a sweep asks for it, so a file that has kept its size and time is read once in a process.
    """
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    return _digest(tuple((each, each.stat().st_size, each.stat().st_mtime_ns) for each in files), path.is_dir())


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[Path, int, int], ...], named: bool) -> str:
    total = hashlib.sha256()
    for path, size, _ in files:
        if named:
            total.update(f"{path.name}:{size}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()
