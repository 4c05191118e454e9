"""Decides when a job that was lost is retried, when it has failed, and when the whole sweep should stop.

A job fails only for its own fault (see `sweep.engine.deaths`): at the third death that it caused itself, with no round
in between, whichever driver saw them. Everything else is retried with growing pauses for about half an hour. If other
jobs ended rounds meanwhile, the cause lies with the job after all and it fails; if none did, it lies with the
machines, and the sweep stops, to be resumed. If most jobs fail for the same reason, it stops with that reason.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from sweep.core.jobs import Job
from sweep.engine.deaths import Fault

MAX_OWN_DEATHS = 3
# Without a round of the job in between; about half an hour including the pauses, and six minutes.
LIMITS = {Fault.OTHERS: 32, Fault.OUTAGE: 32, Fault.UNKNOWN: 12}
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds
_SAME_KIND = 5  # the sweep stops at this many failures of one kind, if they are most of the ended jobs


def pause(fault: Fault, count: int) -> float | None:
    """Seconds before the retry after the `count`th loss of that kind in a row; None = no more retries."""
    if fault is Fault.OWN:
        return 0.0 if count < MAX_OWN_DEATHS else None
    if count >= LIMITS.get(fault, 0):
        return None
    doublings = count - (1 if fault is Fault.OUTAGE else 2)  # a lost worker is replaced at once
    return 0.0 if doublings < 0 else min(_FIRST_PAUSE * 2**doublings, _LONGEST_PAUSE)


@dataclass
class Losses:
    """Losses without a round in between, by job and fault; counted by one driver."""

    _counts: Counter[tuple[Job, Fault]] = field(default_factory=Counter)
    _since: dict[Job, int] = field(default_factory=dict)  # `_rounds` when the job's first loss in a row was counted
    _rounds: int = 0  # of all jobs

    def reset(self, job: Job) -> None:
        """The job completed a round."""
        self._rounds += 1
        self._since.pop(job, None)
        for fault in LIMITS:
            self._counts.pop((job, fault), None)

    def add(self, job: Job, fault: Fault) -> int:
        """Count a loss; returns how many there are by now."""
        self._since.setdefault(job, self._rounds)
        self._counts[job, fault] += 1
        return self._counts[job, fault]

    def others_went_on(self, job: Job) -> bool:
        """Whether other jobs completed rounds since the job's first loss in a row."""
        return self._rounds > self._since.get(job, self._rounds)


@dataclass
class Failures:
    """The jobs that failed, by reason."""

    _kinds: Counter[str] = field(default_factory=Counter)
    _ended: int = 0

    def ended(self, reason: str | None = None) -> str | None:
        """Count an ended job, with the reason if it failed; returns why the sweep should stop, else None."""
        self._ended += 1
        if reason is None:
            return None
        kind = _kind(reason)
        self._kinds[kind] += 1
        count = self._kinds[kind]
        if count < _SAME_KIND or count <= self._ended / 2:
            return None
        return f"{count} of {self._ended} jobs failed in the same way ({reason})"


def _kind(reason: str) -> str:
    """The reason with numbers and paths, which differ from job to job, masked."""
    return re.sub(r"[^\s:]*/[^\s:]*|[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", reason.lower())
