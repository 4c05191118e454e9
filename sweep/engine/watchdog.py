"""Detects jobs that hang: those silent for many times the usual duration of a round."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

_REMEMBERED = 100  # rounds
_USUAL_GAP = 10.0  # longest time between two checks, in seconds, unless the driver itself was blocked


@dataclass(frozen=True)
class Patience:
    """Allowed silence in seconds: `rounds` times the median round, but at least `least`.

    Before any round has ended it is `unknown`: the first round also imports, downloads and copies.
    """

    rounds: float = 10.0
    least: float = 300.0
    unknown: float = 7200.0


class Watchdog:
    """Times the running jobs, by name."""

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._checked = clock()
        self._heard: dict[str, float] = {}
        self._rounds: deque[float] = deque(maxlen=_REMEMBERED)

    def report(self, name: str) -> None:
        """The job has just ended a round."""
        now = self._clock()
        if name in self._heard:
            self._rounds.append(now - self._heard[name])
        self._heard[name] = now

    def silent(self, running: Iterable[str]) -> list[str]:
        """The running jobs that hang; a job is timed from the first call that names it."""
        now, allowed, blocked = self._clock(), self.allowed(), self._blocked()
        since = {name: min(now, self._heard.get(name, now) + blocked) for name in running}
        self._heard = since
        return [name for name, heard in since.items() if now - heard > allowed]

    def _blocked(self) -> float:
        """Seconds since the last check in which the driver itself was blocked, as during an outage."""
        now = self._clock()
        gap, self._checked = now - self._checked, now
        return gap if gap > _USUAL_GAP else 0.0

    def allowed(self) -> float:
        """The allowed silence in seconds."""
        if not self._rounds:
            return self._patience.unknown
        return max(self._patience.least, self._patience.rounds * median(self._rounds))
