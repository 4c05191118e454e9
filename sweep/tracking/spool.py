"""A durable queue in a folder: records that MLflow has not taken yet survive a dead server and a dead driver.

One JSON record per line; a second, tiny file holds the position up to which they are delivered. Records are flushed
to the operating system as they are appended, so a killed process loses none. Delivery is at least once: applying
a record must be idempotent.
"""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Spool:
    """Appended to by the driver's thread, read by the delivering one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._records = folder / "records.jsonl"
        self._cursor = folder / "delivered"
        self._lock = threading.Lock()
        _cut_torn_line(self._records)
        self._delivered = min(_read_number(self._cursor), _size(self._records))
        self._waiting = self._count_waiting()
        self._file = self._records.open("ab")

    def __len__(self) -> int:
        """Undelivered records."""
        with self._lock:
            return self._waiting

    def append(self, record: Record) -> None:
        line = json.dumps(record).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            self._waiting += 1

    def keep_file(self, source: Path, name: str) -> Path:
        """A copy that is kept until it is delivered: the original may be in a temporary folder."""
        copy = self.folder / "files" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        return copy

    def waiting(self, limit: int) -> list[Record]:
        """The oldest undelivered records, at most `limit`; they stay until `delivered` is called."""
        with self._lock, self._records.open("rb") as file:
            file.seek(self._delivered)
            lines = [file.readline() for _ in range(min(limit, self._waiting))]
        return [json.loads(line) for line in lines]

    def delivered(self, count: int) -> None:
        """Mark the `count` oldest waiting records as delivered."""
        with self._lock:
            with self._records.open("rb") as file:
                file.seek(self._delivered)
                for _ in range(count):
                    file.readline()
                self._delivered = file.tell()
            self._waiting -= count
            partial = self._cursor.with_suffix(".partial")
            partial.write_text(str(self._delivered))
            os.replace(partial, self._cursor)

    def close(self) -> None:
        """Delete the folder if everything was delivered, else keep it for the next driver."""
        with self._lock:
            self._file.close()
            if not self._waiting:
                shutil.rmtree(self.folder)

    def _count_waiting(self) -> int:
        if not self._records.exists():
            return 0
        with self._records.open("rb") as file:
            file.seek(self._delivered)
            return sum(1 for _ in file)


def _cut_torn_line(path: Path) -> None:
    """Remove the half line that a process killed while writing leaves behind."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _read_number(path: Path) -> int:
    return int(path.read_text()) if path.exists() else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
