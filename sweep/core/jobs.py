"""The identity of a job: (sweep, group, phase, candidate, number or seed).

It is the study's key, the folder's path and the MLflow tag, so the three always match.
"""

from dataclasses import dataclass
from typing import Literal

Phase = Literal["search", "final"]
PHASES: tuple[Phase, ...] = ("search", "final")  # in the order in which a group goes through them


@dataclass(frozen=True, order=True)
class Job:
    """`number` is the search trial's number within its group, or the finalist's seed."""

    group: str  # "tera"; "all" where the space has a single question
    phase: str  # "search" | "final"
    candidate: str
    number: int

    @property
    def path(self) -> str:
        """ "tera/search/layer2/0003" or "tera/final/layer2/seed-1102": a readable, sortable folder."""
        last = f"{self.number:04d}" if self.phase == "search" else f"seed-{self.number}"
        return f"{self.group}/{self.phase}/{self.candidate}/{last}"

    @staticmethod
    def parse(path: str) -> "Job":
        """The job of a path. Raises ValueError where it has other than four parts."""
        group, phase, candidate, last = path.split("/")
        return Job(group, phase, candidate, int(last.removeprefix("seed-")))
