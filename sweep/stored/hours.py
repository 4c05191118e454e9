"""How long a sweep has been driven, over all its starts: what `--max-hours` counts.

Each heartbeat carries the sum, so a killed driver's hours count too, up to its last beat.
"""

import json
import time
from collections.abc import Callable

from sweep.stored import layout
from trainables.base.storage.storage import Storage

SPENT = "spent"  # seconds, in the heartbeat


class Hours:
    """`limit` in hours, None = as long as it takes."""

    def __init__(
        self, storage: Storage, limit: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._before = _spent_before(storage)
        self._limit = limit
        self._clock = clock
        self._begin = clock()

    def spent(self) -> float:
        """Seconds."""
        return self._before + self._clock() - self._begin

    def left(self) -> float | None:
        """Seconds; None without a limit."""
        return None if self._limit is None else self._limit * 3600 - self.spent()


def _spent_before(storage: Storage) -> float:
    try:
        return float(json.loads(storage.read(layout.HEARTBEAT)).get(SPENT, 0.0))
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return 0.0
