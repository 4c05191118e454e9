"""Immutable checkpoints in a `Storage`: `<jobs>/<job>/step-<n>/`, the manifest with checksums last.

Nothing mutable points at "latest": the newest checkpoint is the largest step whose manifest is exactly the
one its files give. A worker killed while saving, a cut disk and a flipped bit all look the same, a
checkpoint that does not verify, and the one before it is used.
"""

import hashlib
import json
import re

from trainables.base.storage.storage import Storage
from trainables.job.checkpoints import CheckpointConflict

JOBS = "jobs"
MANIFEST = "manifest.json"


class StoredCheckpoints:
    """Implements `trainables.job.checkpoints.Checkpoints`, which documents it. Pickles as its storage's address."""

    def __init__(self, storage: Storage, prefix: str = JOBS):
        self._storage = storage
        self._prefix = prefix

    def save(self, job: str, step: int, files: dict[str, bytes]) -> None:
        folder = self._folder(job, step)
        stored = self._verified(job, step, self._storage.list(folder))
        if stored == files:
            return
        if stored is not None:
            raise CheckpointConflict(f"{folder} in {self._storage.uri} holds other content already")
        self._storage.delete_prefix(folder)  # what a killed worker left
        for name, content in files.items():
            self._storage.write(f"{folder}/{name}", content)
        self._storage.write(f"{folder}/{MANIFEST}", _manifest(job, step, files))

    def newest(self, job: str) -> tuple[int, dict[str, bytes]] | None:
        steps = self._steps(job)
        for step in sorted(steps, reverse=True):
            files = self._verified(job, step, steps[step])
            if files is not None:
                return step, files
        return None

    def prune(self, job: str, keep: int) -> None:
        """Delete all but the `keep` newest complete checkpoints; a newer one may still be in the making."""
        steps = self._steps(job)
        kept = sorted(step for step, paths in steps.items() if _is_complete(paths))[-keep:]
        for step in steps:
            if kept and step < kept[0]:
                self._storage.delete_prefix(self._folder(job, step))

    def write_result(self, job: str, name: str, content: bytes) -> None:
        self._storage.write(f"{self._prefix}/{job}/{name}", content)

    def read_result(self, job: str, name: str) -> bytes:
        return self._storage.read(f"{self._prefix}/{job}/{name}")

    def delete_result(self, job: str, name: str) -> None:
        self._storage.delete(f"{self._prefix}/{job}/{name}")

    def has_result(self, job: str, name: str) -> bool:
        """Whether the file exists, without reading it."""
        return self._storage.exists(f"{self._prefix}/{job}/{name}")

    def reach(self) -> None:
        self._storage.exists(f"{self._prefix}/reached")

    def _folder(self, job: str, step: int) -> str:
        return f"{self._prefix}/{job}/step-{step}"

    def _steps(self, job: str) -> dict[int, list[str]]:
        """The paths found for each step, whole or not."""
        steps: dict[int, list[str]] = {}
        pattern = re.compile(re.escape(f"{self._prefix}/{job}/") + r"step-(\d+)/[^/]+")
        for path in self._storage.list(f"{self._prefix}/{job}"):
            if match := pattern.fullmatch(path):
                steps.setdefault(int(match[1]), []).append(path)
        return steps

    def _verified(self, job: str, step: int, paths: list[str]) -> dict[str, bytes] | None:
        """The checkpoint's files, or None unless they are whole and unchanged."""
        if not _is_complete(paths):
            return None
        try:
            files = {path.rpartition("/")[2]: self._storage.read(path) for path in paths}
        except FileNotFoundError:  # pruned by another attempt between listing and reading
            return None
        written = files.pop(MANIFEST)
        return files if written == _manifest(job, step, files) else None


def _is_complete(paths: list[str]) -> bool:
    return any(path.endswith(f"/{MANIFEST}") for path in paths)


def _manifest(job: str, step: int, files: dict[str, bytes]) -> bytes:
    """The one text that describes these files; to verify is to compare with it, byte by byte."""
    entries = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    }
    return json.dumps({"job": job, "step": step, "files": entries}, indent=1).encode()
