"""Tells every listener what happened, and lets none of them stop the sweep."""

import logging
from collections.abc import Sequence
from typing import Any

from sweep.core.jobs import Job
from sweep.core.listener import Listener

logger = logging.getLogger(__name__)


class Announcer(Listener):
    """One listener that is many. A listener that raises is reported once, at its first failure."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._reported: set[int] = set()

    def stage_progressed(self, name: str, done: int, total: int) -> None:
        self._tell("stage_progressed", name, done, total)

    def job_started(self, job: Job, attempt: int, config: dict[str, Any], timestamp_ms: int) -> None:
        self._tell("job_started", job, attempt, config, timestamp_ms)

    def job_reported(self, job: Job, step: int, metrics: dict[str, float], timestamp_ms: int) -> None:
        self._tell("job_reported", job, step, metrics, timestamp_ms)

    def job_ended(
        self, job: Job, state: str, score: float | None, reason: str | None, timestamp_ms: int
    ) -> None:
        self._tell("job_ended", job, state, score, reason, timestamp_ms)

    def jobs_waived(self, jobs: Sequence[Job]) -> None:
        self._tell("jobs_waived", jobs)

    def close(self) -> None:
        self._tell("close")

    def _tell(self, event: str, *facts: Any) -> None:
        for index, listener in enumerate(self._listeners):
            try:
                getattr(listener, event)(*facts)
            except Exception as error:
                if index not in self._reported:
                    self._reported.add(index)
                    logger.warning(
                        "%s failed at %s (%s); the sweep goes on", type(listener).__name__, event, error
                    )
