"""The folder behind a `Storage`: temporary files, renames and fsync make its writes atomic and durable."""

import contextlib
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = ".writing-"  # a file that is not whole yet; never listed


class Folder:
    """Files below `root`, which need not exist yet; methods as `Storage` describes them."""

    remedy = "choose a writable folder with free space through --output"
    reading_remedy = "check that it is a folder you may read, or give another --output"

    def __init__(self, root: Path):
        self._root = root

    def read(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        with self._replacing(path) as file:
            file.write(content)

    def create(self, path: str, content: bytes) -> None:
        with self._replacing(path, os.link) as file:
            file.write(content)

    def upload(self, file: Path, path: str) -> None:
        with self._replacing(path) as target, open(file, "rb") as source:
            shutil.copyfileobj(source, target)

    def move_in(self, file: Path, path: str) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
        _sync_folder(target.parent)

    def download(self, path: str, file: Path) -> None:
        partial = file.with_name(f"{_TEMPORARY}{file.name}")
        shutil.copyfile(self._root / path, partial)
        os.replace(partial, file)

    def size(self, path: str) -> int | None:
        try:
            found = (self._root / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def sizes(self, prefix: str) -> dict[str, int]:
        found = {}
        for path in self._files(prefix):
            with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                found[path] = (self._root / path).stat().st_size
        return found

    def unfinished(self, prefix: str) -> dict[str, int]:
        found = {}
        for path in self._all_files(prefix):
            if path.name.startswith(_TEMPORARY):
                with contextlib.suppress(FileNotFoundError):  # whole since it was listed
                    found[path.relative_to(self._root).as_posix()] = path.stat().st_size
        return found

    def folders(self) -> tuple[str, ...]:
        if not self._root.is_dir():
            return ()
        return tuple(entry.name for entry in os.scandir(self._root) if entry.is_dir())

    def delete(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def delete_prefix(self, prefix: str) -> None:
        # A second process may be deleting the same folder: what counts is that nothing is left.
        shutil.rmtree(self._root / prefix, ignore_errors=True)
        if left := next(self._files(prefix), None):
            raise OSError(f"cannot delete {left} in {self._root}")

    def free_bytes(self) -> int:
        existing = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        return shutil.disk_usage(existing).free

    def _files(self, prefix: str) -> Iterator[str]:
        for path in self._all_files(prefix):
            if not path.name.startswith(_TEMPORARY):
                yield path.relative_to(self._root).as_posix()

    def _all_files(self, prefix: str) -> Iterator[Path]:
        for folder, _, names in os.walk(self._root / prefix):
            yield from (Path(folder, name) for name in names)

    @contextlib.contextmanager
    def _replacing(self, path: str, place: Callable[[Path, Path], None] | None = None) -> Iterator[BinaryIO]:
        """A new file that takes its place at `path`, by `place` (default `os.replace`), once it is whole."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            (place or os.replace)(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, on file systems that support it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
