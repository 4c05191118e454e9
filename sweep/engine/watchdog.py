"""Detects jobs that hang: those silent for many times the usual duration of a round.

A machine under load slows the usual round, too, and a job that was killed for its silence is given four times as long
when it is tried again: to be failed, it must be silent for 160 rounds of the others.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

_REMEMBERED = 100  # rounds
_GROWTH = 4  # of the allowed silence, after each time the job was killed for it
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

    def silent(self, running: Mapping[str, int]) -> list[str]:
        """The running jobs that hang; a job is timed from the first call that names it.

        `running` gives how often each was lost by its own fault since its last round.
        """
        now, blocked = self._clock(), self._blocked()
        self._heard = {name: min(now, self._heard.get(name, now) + blocked) for name in running}
        return [name for name, deaths in running.items() if now - self._heard[name] > self.allowed(deaths)]

    def _blocked(self) -> float:
        """Seconds since the last check in which the driver itself was blocked, as during an outage."""
        now = self._clock()
        gap, self._checked = now - self._checked, now
        return gap if gap > _USUAL_GAP else 0.0

    def allowed(self, deaths: int = 0) -> float:
        """The allowed silence in seconds."""
        if not self._rounds:
            return self._patience.unknown
        return max(self._patience.least, self._patience.rounds * median(self._rounds)) * _GROWTH**deaths
