"""What a job needs of storage: immutable checkpoints, and result files next to them.

sweep/storage/checkpoints.py implements it for folders and s3://. A checkpoint is a few named files; its last part, the
manifest, is written when all others are, so a checkpoint either verifies or does not exist.
"""

import json
from typing import Any, Protocol

PROGRESS = "progress.json"  # the file of a session's state that holds its step and its reports
OPTIMIZER = "optimizer.pt"  # the file that only further training needs


class CheckpointConflict(RuntimeError):
    """Another attempt of the same job has stored this step already, with other content."""


class Checkpoints(Protocol):
    """Checkpoints by job and step, and result files by job and name."""

    def save(self, job: str, step: int, files: dict[str, bytes]) -> None:
        """Store one checkpoint. Saving the same content twice is fine.

        Raises `CheckpointConflict` if a complete checkpoint of this step holds other content.
        """
        ...

    def newest(self, job: str) -> tuple[int, dict[str, bytes]] | None:
        """The largest step that verifies, with its files; None if there is none."""
        ...

    def prune(self, job: str, keep: int) -> None:
        """Delete all but the `keep` newest complete checkpoints."""
        ...

    def write_result(self, job: str, name: str, content: bytes) -> None:
        """Keep a file next to the job's checkpoints; `prune` never deletes it."""
        ...

    def has_result(self, job: str, name: str) -> bool:
        """Whether the file exists, without reading it."""
        ...

    def reach(self) -> None:
        """Return if the storage answers; raise if it does not."""
        ...

    def read_result(self, job: str, name: str) -> bytes:
        """The file's content. Raises FileNotFoundError."""
        ...


def stored_reports(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Every report of the job up to this checkpoint, the newest last."""
    return json.loads(files[PROGRESS])["reports"]
