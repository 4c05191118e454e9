"""What failures add up to: when a job is tried again, and when a sweep had better stop.

A lost worker is replaced at once, a few times. Storage and networks come back by themselves, so a job that
could not reach them waits longer every time and gives up only after minutes. The two are counted apart: a job
that outages have held up is still owed its new workers. A job that trains a round is forgiven what was before.
Where most jobs of a sweep fail in one way, that way is the answer.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from sweep.core.jobs import Job

MAX_FAILURES = 3  # in a row without a round in between; then the job is marked as failed
MAX_OUTAGES = 32  # the same where storage or network failed: with the pauses about half an hour
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0  # seconds
_SAME_KIND = 5  # failed jobs of one kind, and more than half of all that ended


@dataclass
class Failures:
    """Of one start of a sweep."""

    _losses: Counter[Job] = field(default_factory=Counter)  # since its last round
    _outages: Counter[Job] = field(default_factory=Counter)  # since its last round
    _kinds: Counter[str] = field(default_factory=Counter)
    _ended: int = 0

    def forgive(self, job: Job) -> None:
        self._losses[job] = self._outages[job] = 0

    def pause(self, job: Job, outage: bool) -> float | None:
        """Seconds before another attempt after this failure; None if it was one too many."""
        of_its_kind = self._outages if outage else self._losses
        of_its_kind[job] += 1
        count = of_its_kind[job]
        if count >= (MAX_OUTAGES if outage else MAX_FAILURES):
            return None
        return min(_FIRST_PAUSE * 2 ** (count - 1), _LONGEST_PAUSE) if outage else 0.0

    def ended(self, reason: str | None = None) -> str | None:
        """Count a job that ended, with the reason if it failed; why the sweep had better stop, if it had."""
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
    """The reason without what differs from job to job: numbers and paths."""
    return re.sub(r"[^\s:]*/[^\s:]*|[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", reason.lower())
