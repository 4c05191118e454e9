"""Stage artifacts in memory."""


class MemoryArtifacts(dict[str, bytes]):
    """The `Artifacts` protocol over a dictionary."""

    def has(self, key: str) -> bool:
        return key in self

    def read(self, key: str) -> bytes:
        return self[key]

    def write(self, key: str, content: bytes) -> None:
        self[key] = content
