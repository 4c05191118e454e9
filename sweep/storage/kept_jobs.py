"""Jobs that are kept for other sweeps, by key: reports, the last checkpoint, rows and clips.

They lie next to the stages, and like these each is one file that is led by its checksum: what is damaged counts as
absent, and is computed again. The keys are `sweep.plan.job_key`'s; nothing here knows which sweep or job is theirs.
"""

import io
import json
import zipfile
from dataclasses import asdict, dataclass
from typing import Any

from sweep.storage.artifacts import StoredArtifacts

KEPT_JOBS = "kept-jobs"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in an archive, so that equal contents are equal bytes


@dataclass(frozen=True)
class KeptReport:
    """One round."""

    step: int
    score: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class KeptReports:
    """A job's rounds, by step; those of a job that was stopped early end before its budget."""

    sweep: str  # the one that trained it: a note for people
    job: str
    reports: tuple[KeptReport, ...]

    @property
    def source(self) -> str:
        return f"{self.sweep}/{self.job}"

    @property
    def step(self) -> int:
        return self.reports[-1].step if self.reports else 0


class KeptJobs:
    """Reads and writes what is kept; every `find` returns None where it is absent or damaged."""

    def __init__(self, artifacts: StoredArtifacts) -> None:
        self._artifacts = artifacts

    def reports(self, key: str) -> KeptReports | None:
        content = self._artifacts.find(f"{key}/reports")
        return None if content is None else _reports(json.loads(content))

    def keep_reports(self, key: str, kept: KeptReports) -> None:
        """Unless as many rounds or more are kept already."""
        before = self.reports(key)
        if before is None or before.step < kept.step:
            self._artifacts.write(f"{key}/reports", json.dumps(asdict(kept)).encode())

    def files(self, key: str, name: str) -> dict[str, bytes] | None:
        """The files kept together under that name."""
        content = self._artifacts.find(f"{key}/{name}")
        return None if content is None else _unpacked(content)

    def holds(self, key: str, name: str) -> bool:
        """Whether there are files of that name, without reading them: they may be damaged."""
        return self._artifacts.exists(f"{key}/{name}")

    def keep_files(self, key: str, name: str, files: dict[str, bytes]) -> None:
        """Unless they are kept already."""
        if not self._artifacts.has(f"{key}/{name}"):
            self._artifacts.write(f"{key}/{name}", _packed(files))


def _reports(plain: dict[str, Any]) -> KeptReports:
    return KeptReports(plain["sweep"], plain["job"], tuple(KeptReport(**report) for report in plain["reports"]))


def _packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def _unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
