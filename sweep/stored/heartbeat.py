"""The driver's heartbeat, `heartbeat.json`: written by it, read by other commands, and the count for `--max-hours`.

Each beat carries the seconds the sweep has been driven over all its starts, so a killed driver's time counts too,
up to its last beat.
"""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sweep.stored import layout
from trainables.base.storage.storage import Storage

EVERY_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # after which a driver that hangs or is on another machine counts as lost
SPENT = "spent"  # the heartbeat's field for seconds of driving, over all starts

Life = Literal["running", "not responding", "finished", "interrupted", "dead", "never started"]


@contextlib.contextmanager
def beating(storage: Storage, snapshot: Callable[[], dict[str, Any]], every: float = EVERY_SECONDS) -> Iterator[None]:
    """Write a beat `every` few seconds while the block runs, and at the end how the sweep ended.

    `snapshot` returns plain JSON. A beat that cannot be written is skipped: it must never stop a sweep.
    """

    def write(state: str = "running") -> None:
        identity = {"state": state, "pid": os.getpid(), "host": socket.gethostname(), "time": time.time()}
        beat = {**identity, **snapshot()}
        with contextlib.suppress(Exception):  # the sweep itself reports a full disk or a missing bucket
            storage.write(layout.HEARTBEAT, json.dumps(beat).encode())

    write()
    try:
        with periodically(write, every, "heartbeat"):
            yield
    except BaseException:
        write("interrupted")
        raise
    write("finished")


@contextlib.contextmanager
def periodically(action: Callable[[], bool | None], seconds: float, name: str) -> Iterator[None]:
    """Call `action` in a thread of that name, every few `seconds` until the block ends or it returns True."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(seconds) and not action():
            pass

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(seconds)


@dataclass(frozen=True)
class Pulse:
    """The last heartbeat and what it means; `beat` is None if there never was one."""

    life: Life
    age: float  # seconds since the last beat
    beat: dict[str, Any] | None

    @property
    def is_driven(self) -> bool:
        """Whether a driver holds the sweep."""
        return self.life in ("running", "not responding")


def read_pulse(storage: Storage) -> Pulse:
    """Whether a sweep's driver is alive: by its process on this machine, else by the age of its last beat."""
    try:
        beat = json.loads(storage.read(layout.HEARTBEAT))
        return pulse_of(beat, time.time(), socket.gethostname())
    except (FileNotFoundError, ValueError, TypeError, KeyError):  # none, or damaged
        return Pulse("never started", 0.0, None)


def pulse_of(beat: dict[str, Any], now: float, host: str) -> Pulse:
    """The state that `beat` shows to an observer on `host` at Unix time `now`."""
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
    except PermissionError:  # alive, and another user's
        return True
    return True


class Hours:
    """The hours a sweep has been driven over all its starts, against its `limit` in hours (None = no limit)."""

    def __init__(self, storage: Storage, limit: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            self._before = float(json.loads(storage.read(layout.HEARTBEAT)).get(SPENT, 0.0))
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            self._before = 0.0
        self._limit = limit
        self._clock = clock
        self._begin = clock()

    def spent(self) -> float:
        """Seconds."""
        return self._before + self._clock() - self._begin

    def left(self) -> float | None:
        """Seconds; None without a limit."""
        return None if self._limit is None else self._limit * 3600 - self.spent()
