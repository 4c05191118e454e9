"""Stage artifacts in a `Storage`: one file each, led by its checksum.

The checksum travels inside the file, not next to it, so that two writers of the same stage cannot leave one's
checksum with the other's content.
"""

import hashlib

from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

_HEADER_BYTES = len("sha256:") + 64 + 1


class StoredArtifacts:
    """Implements `trainables.job.stages.Artifacts`. Pickles as its storage's address."""

    def __init__(self, storage: Storage, prefix: str = "stages"):
        self._storage = storage
        self._prefix = prefix

    def has(self, key: str) -> bool:
        """Whether the artifact is there and whole; a damaged one counts as missing, so it is recomputed."""
        return self.exists(key) and self._verified(key) is not None

    def exists(self, key: str) -> bool:
        """Whether the artifact is there, without reading it: it may be damaged."""
        return self._storage.exists(self._path(key))

    def read(self, key: str) -> bytes:
        """The artifact. Raises FileNotFoundError if absent, `UserError` if damaged."""
        content = self._verified(key)
        if content is None:
            raise UserError(
                f"{self._storage.uri}/{self._path(key)} is damaged (its checksum differs): "
                "resume the sweep, which computes it anew"
            )
        return content

    def find(self, key: str) -> bytes | None:
        """The artifact; None where it is absent or damaged."""
        try:
            return self._verified(key)
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Store the artifact, all or nothing."""
        self._storage.write(self._path(key), _header(content) + content)

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{key}"

    def _verified(self, key: str) -> bytes | None:
        stored = self._storage.read(self._path(key))
        content = stored[_HEADER_BYTES:]
        return content if stored[:_HEADER_BYTES] == _header(content) else None


def _header(content: bytes) -> bytes:
    return f"sha256:{hashlib.sha256(content).hexdigest()}\n".encode()
