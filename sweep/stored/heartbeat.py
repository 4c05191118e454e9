"""The driver's sign of life: `heartbeat.json` beside the results, and what others may conclude from it."""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from sweep.stored import layout
from trainables.base.storage.storage import Storage

EVERY_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # of a driver on another machine, or of one that hangs, before it counts as lost

Life = Literal["running", "not responding", "finished", "interrupted", "dead", "never started"]


class Heartbeat:
    """`with Heartbeat(storage, snapshot):` writes a beat every few seconds, and how it ended at the end.

    `snapshot` returns plain JSON. A beat that cannot be written is skipped: it must never stop a sweep.
    """

    def __init__(
        self, storage: Storage, snapshot: Callable[[], dict[str, Any]], every: float = EVERY_SECONDS
    ) -> None:
        self._storage = storage
        self._snapshot = snapshot
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._write("running")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(self._every)
        self._write("finished" if kind is None else "interrupted")

    def _beat(self) -> None:
        while not self._over.wait(self._every):
            self._write("running")

    def _write(self, state: str) -> None:
        beat = {
            "state": state,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "time": time.time(),
            **self._snapshot(),
        }
        with contextlib.suppress(Exception):  # a full disk or an absent bucket is for the sweep to report
            self._storage.write(layout.HEARTBEAT, json.dumps(beat).encode())


@dataclass(frozen=True)
class Pulse:
    """The last heartbeat, judged: `beat` is None where there never was one."""

    life: Life
    age: float  # seconds since the last beat
    beat: dict[str, Any] | None


def read_pulse(storage: Storage) -> Pulse:
    """Whether a sweep's driver lives, by its process on this machine, else by the age of its last beat."""
    try:
        beat = json.loads(storage.read(layout.HEARTBEAT))
        return judge(beat, time.time(), socket.gethostname())
    except (FileNotFoundError, ValueError, TypeError, KeyError):  # none, or damaged: there is no sign of life
        return Pulse("never started", 0.0, None)


def judge(beat: dict[str, Any], now: float, host: str) -> Pulse:
    age = max(0.0, now - beat["time"])
    if beat["state"] != "running":
        return Pulse(beat["state"], age, beat)
    here = beat["host"] == host
    if here and not _is_alive(beat["pid"]):
        return Pulse("dead", age, beat)
    if age <= SILENCE_SECONDS:
        return Pulse("running", age, beat)
    return Pulse("not responding" if here else "dead", age, beat)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and belongs to somebody else
        return True
    return True
