"""Runs a command to its end or its time limit, and knows everything it started: core-seconds used, nothing left behind.

Linux only. Orphans of the command, such as Ray's workers after their driver was killed, become children of this
process and are found among its descendants.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_SECONDS = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Finished:
    """Of a command: its exit status (None = stopped by us), what it printed, seconds and core-seconds of its family."""

    status: int | None
    output: str
    errors: str
    seconds: float
    core_seconds: float


def run(
    command: Sequence[str],
    log: Path,
    limit: float,
    environment: Mapping[str, str] | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Finished:
    """Run it; when `until` says so, or after `limit` seconds, the whole family is killed at once (SIGKILL).

    Its output goes to `log`.out and `log`.err on the way.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    out, err = log.with_suffix(".out"), log.with_suffix(".err")
    family = Family()
    start = time.perf_counter()
    with out.open("wb") as output, err.open("wb") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment, start_new_session=True)
        status = None
        try:
            while (status := process.poll()) is None:
                family.look()
                if time.perf_counter() - start > limit or until():
                    break
                time.sleep(_LOOK_SECONDS)
        finally:
            seconds = time.perf_counter() - start
            family.look()
            family.kill()
            process.wait()
            _reap()
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in (out, err)]
    return Finished(status, texts[0], texts[1], seconds, family.core_seconds)


def end_on_sigterm() -> None:
    """As Ctrl-C does, so that whatever is running is ended with us."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


class Family:
    """The descendants of this process, but for those that were there before; and the CPU time they have used."""

    def __init__(self) -> None:
        self._before = {(pid, stat.started) for pid, stat in _descendants().items()}
        self._used: dict[tuple[int, int], float] = {}
        self._lock = threading.Lock()

    @property
    def core_seconds(self) -> float:
        return sum(self._used.values())

    def look(self) -> dict[int, "_Stat"]:
        """Note what each has used so far; what a process uses in its last fifth of a second is missed."""
        alive = {p: s for p, s in _descendants().items() if (p, s.started) not in self._before}
        with self._lock:
            for pid, stat in alive.items():
                self._used[pid, stat.started] = stat.ticks / _TICKS
        return alive

    def kill(self) -> None:
        """All of them, until none is left."""
        for _ in range(50):
            alive = [pid for pid, stat in self.look().items() if stat.state != "Z"]
            if not alive:
                return
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.1)


@dataclass(frozen=True)
class _Stat:
    parent: int
    state: str
    started: int
    ticks: int


def _descendants() -> dict[int, _Stat]:
    """By process id; of this process."""
    stats = {int(path.name): stat for path in Path("/proc").glob("[0-9]*") if (stat := _stat(path))}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found: dict[int, _Stat] = {}
    waiting = children.get(os.getpid(), [])
    while waiting:
        pid = waiting.pop()
        found[pid] = stats[pid]
        waiting += children.get(pid, [])
    return found


def _stat(path: Path) -> _Stat | None:
    try:
        fields = (path / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # it has just ended
        return None
    return _Stat(int(fields[1]), fields[0], int(fields[19]), int(fields[11]) + int(fields[12]))


def _reap() -> None:
    """Collect orphans that have ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
