"""The events of a sweep, and the listeners that receive them: progress display, MLflow, scoring, clean-up.

Events are announced on the driver, after the study has recorded the fact. Listeners never change what the sweep
does: one that raises is reported once, and the sweep goes on.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sweep.core.jobs import Job

EndState = Literal["complete", "pruned", "failed"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageProgressed:
    """A pre-training or gate stage advanced; done == total when it is stored (or was cached)."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class JobEvent:
    """`timestamp_ms` was fixed when the fact was first recorded, and is the same at every redelivery."""

    job: Job
    timestamp_ms: int


@dataclass(frozen=True)
class JobStarted(JobEvent):
    """A job was handed out (attempt 1) or handed out again (attempt > 1)."""

    attempt: int
    config: dict[str, Any]
    reused_from: str | None = None  # "<sweep>/<job>" that trained it, where nothing is trained here


@dataclass(frozen=True)
class JobReported(JobEvent):
    """A round ended at `step`."""

    step: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class JobEnded(JobEvent):
    """`state` is "complete", "pruned" (stopped early) or "failed" (with the reason)."""

    state: EndState
    score: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class JobsWaived:
    """These jobs will never run: their candidates have left contention. Announced again at every start."""

    jobs: tuple[Job, ...]


Event = StageProgressed | JobEvent | JobsWaived


class Listener(Protocol):
    """Anything that wants to know what happens in a sweep."""

    def hear(self, event: Event) -> None:
        """Called for every event; a listener ignores those it does not need."""


class Announcer:
    """Passes every event to all listeners. The first exception of each is logged, and none reaches the sweep."""

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        self._listeners = list(listeners)
        self._reported: set[int] = set()

    def announce(self, event: Event) -> None:
        for index, listener in enumerate(self._listeners):
            try:
                listener.hear(event)
            except Exception as error:
                if index not in self._reported:
                    self._reported.add(index)
                    names = type(listener).__name__, type(event).__name__
                    logger.warning("%s failed at %s (%s); the sweep goes on", *names, error)
