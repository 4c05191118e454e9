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

_FILES = "files"


class Spool:
    """Appended to by the driver's thread, read by the delivering one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._records = folder / "records.jsonl"
        self._cursor = folder / "delivered"
        self._lock = threading.Lock()
        self._file = self._records.open("ab")
        content = self._records.read_bytes()
        whole = content.rfind(b"\n") + 1  # a process killed while writing leaves half a line behind
        self._file.truncate(whole)
        self._delivered = min(int(self._cursor.read_text(encoding="utf-8")) if self._cursor.exists() else 0, whole)
        self._waiting = content.count(b"\n", self._delivered)

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

    def keep_file(self, source: Path, name: str) -> str:
        """A copy that is kept until it is delivered: the original may be in a temporary folder.

        A record's "path" is what this returns, a path inside the spool, since a sweep's folder may be moved; `waiting`
        gives it in full.
        """
        copy = self.folder / _FILES / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        return f"{_FILES}/{name}"

    def waiting(self, limit: int) -> list[Record]:
        """The oldest undelivered records, at most `limit`; they stay until `delivered` is called."""
        with self._lock, self._records.open("rb") as file:
            file.seek(self._delivered)
            lines = [file.readline() for _ in range(min(limit, self._waiting))]
        return [self._with_whole_path(json.loads(line)) for line in lines]

    def _with_whole_path(self, record: Record) -> Record:
        if "path" not in record:
            return record
        within = record["path"].rpartition(f"/{_FILES}/")[2].removeprefix(f"{_FILES}/")  # earlier versions: in full
        return {**record, "path": str(self.folder / _FILES / within)}

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
            partial.write_text(str(self._delivered), encoding="utf-8")
            os.replace(partial, self._cursor)

    def close(self) -> None:
        """Delete the folder if everything was delivered, else keep it for the next driver."""
        with self._lock:
            self._file.close()
            if not self._waiting:
                shutil.rmtree(self.folder)
