"""What happens in a sweep, as told to those who only watch: progress on the terminal and MLflow.

Listeners are called on the driver, after the study has recorded the fact; whatever they do, they never
change what the sweep does, and a listener that fails is reported once and never stops it.
"""

from collections.abc import Sequence
from typing import Any, Literal

from sweep.core.jobs import Job

EndState = Literal["complete", "pruned", "failed"]


class Listener:
    """Every method may be left as it is."""

    def stage_progressed(self, name: str, done: int, total: int) -> None:
        """A pre-training or gate stage advanced; done == total when it is stored (or was cached)."""

    def job_started(self, job: Job, attempt: int, config: dict[str, Any], timestamp_ms: int) -> None:
        """A job was handed out (attempt 1) or handed out again (attempt > 1)."""

    def job_reported(self, job: Job, step: int, metrics: dict[str, float], timestamp_ms: int) -> None:
        """A round ended. `timestamp_ms` was fixed when the report was first made."""

    def job_ended(
        self, job: Job, state: str, score: float | None, reason: str | None, timestamp_ms: int
    ) -> None:
        """`state` is "complete", "pruned" (stopped early) or "failed" (with the reason)."""

    def jobs_waived(self, jobs: Sequence[Job]) -> None:
        """These will never be handed out: their candidates have left contention. Told again at every start."""

    def close(self) -> None:
        """The sweep is over or being stopped: deliver what is buffered."""
