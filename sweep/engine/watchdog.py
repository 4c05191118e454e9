"""Notices a job that hangs: one that reports nothing for many times as long as rounds take."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

_REMEMBERED = 100  # rounds
_USUAL_GAP = 10.0  # seconds between two looks at most, while the driver is not held up


@dataclass(frozen=True)
class Patience:
    """Seconds of silence that are allowed: `rounds` times the median round, but never less than `least`.

    Before any round has ended, `unknown`: a first round also imports, downloads and copies.
    """

    rounds: float = 10.0
    least: float = 300.0
    unknown: float = 7200.0


class Watchdog:
    """Times what runs, by any hashable name."""

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._looked = clock()
        self._heard: dict[str, float] = {}
        self._rounds: deque[float] = deque(maxlen=_REMEMBERED)

    def report(self, name: str) -> None:
        """It has just ended a round."""
        now = self._clock()
        if name in self._heard:
            self._rounds.append(now - self._heard[name])
        self._heard[name] = now

    def silent(self, running: Iterable[str]) -> list[str]:
        """Which of those running hang; what runs is timed from when it is first named here."""
        now, allowed, unseen = self._clock(), self.allowed(), self._unseen()
        since = {name: min(now, self._heard.get(name, now) + unseen) for name in running}
        self._heard = since
        return [name for name, heard in since.items() if now - heard > allowed]

    def _unseen(self) -> float:
        """Seconds since the last look in which the driver itself stood still, as during an outage."""
        now = self._clock()
        gap, self._looked = now - self._looked, now
        return gap if gap > _USUAL_GAP else 0.0

    def allowed(self) -> float:
        """Seconds."""
        if not self._rounds:
            return self._patience.unknown
        return max(self._patience.least, self._patience.rounds * median(self._rounds))
