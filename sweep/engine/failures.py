"""Decides when a failed job is retried and when the whole sweep should stop.

A lost worker is replaced at once, a few times. Storage and networks recover by themselves, so a job that could not
reach them waits longer before every retry and fails only after about half an hour. The two are counted separately,
so that outages do not use up a job's retries after lost workers. A completed round resets the job's failure count.
If most jobs fail for the same reason, the sweep stops with that reason.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from sweep.core.jobs import Job

MAX_FAILURES = 3  # lost workers without a completed round in between; then the job has failed
MAX_OUTAGES = 32  # likewise for storage or network; about half an hour including the pauses
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds
_SAME_KIND = 5  # the sweep stops at this many failures of one kind, if they are most of the ended jobs


@dataclass
class Failures:
    """The failures counted by one driver process."""

    _losses: Counter[Job] = field(default_factory=Counter)  # since the job's last round
    _outages: Counter[Job] = field(default_factory=Counter)  # since the job's last round
    _kinds: Counter[str] = field(default_factory=Counter)
    _ended: int = 0

    def reset(self, job: Job) -> None:
        """The job completed a round."""
        self._losses[job] = self._outages[job] = 0

    def pause(self, job: Job, outage: bool) -> float | None:
        """Count a failure; returns the seconds to wait before the retry, None if there were too many."""
        counter = self._outages if outage else self._losses
        counter[job] += 1
        count = counter[job]
        if count >= (MAX_OUTAGES if outage else MAX_FAILURES):
            return None
        return min(_FIRST_PAUSE * 2 ** (count - 1), _LONGEST_PAUSE) if outage else 0.0

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
