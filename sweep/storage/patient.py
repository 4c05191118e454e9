"""Storage that waits out its outages: for the driver, and for what must not be computed twice.

Jobs under Tune take the plain one: a worker that cannot store had better say so and make room.
"""

from sweep.core.outage import Endurance, storage_is_away
from sweep.storage.storage import Storage


class PatientStorage(Storage):
    """Raises `OutageTooLong` where storage does not come back."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._endurance = Endurance(self.uri, storage_is_away)

    def read(self, path: str) -> bytes:
        return self._endurance.call(lambda: Storage.read(self, path))

    def write(self, path: str, content: bytes) -> None:
        self._endurance.call(lambda: Storage.write(self, path, content))

    def exists(self, path: str) -> bool:
        return self._endurance.call(lambda: Storage.exists(self, path))

    def list(self, prefix: str = "") -> list[str]:
        return self._endurance.call(lambda: Storage.list(self, prefix))

    def delete_prefix(self, prefix: str) -> None:
        self._endurance.call(lambda: Storage.delete_prefix(self, prefix))
