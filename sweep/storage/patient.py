"""Storage that waits out its outages: for the driver, and for what must not be computed twice.

Jobs under Tune take the plain one: a worker that cannot store should fail and make room.
"""

from collections.abc import Callable
from typing import TypeVar

from sweep.core.outage import Endurance, storage_is_away
from trainables.base.storage.storage import Storage

T = TypeVar("T")


class PatientStorage(Storage):
    """Retries every access until it succeeds. Raises `OutageTooLong` if storage does not come back."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._endurance = Endurance(self.uri, storage_is_away)

    def _call(self, access: Callable[[], T]) -> T:
        return self._endurance.call(access)
