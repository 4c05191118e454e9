"""The simulated sweep as Ray Tune runs it: the real trainable and real checkpoints, with nothing to train."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.simulation.simulated import simulated_score
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from trainables.base.storage.storage import Storage
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import PROGRESS
from trainables.trainable import SpeechTrainable


class SimulatedTrainable(SpeechTrainable):
    """Keeps a journal of each job in `folder`, and misbehaves where a file there says so.

    `<job with dots>.journal` has a line "from 2" where the job is taken up, "trained 4" after a round and
    "stored 4" after its checkpoint. Next to it, `<job>.kill` makes the worker kill itself once, `<job>.hang`
    hang once and `<job>.raise` raise every time, all in the second round; `<job>.poison` makes the worker end itself
    by the signal in that file in every first round; `<job>.prey`, which holds a number, makes that many workers wait
    in the first round to be killed, and lists them in `<job>.caught`. `workers/<pid>` names the process.
    """

    def setup(  # type: ignore[override]  # Tune passes `folder` and `seconds` besides
        self, config: dict[str, Any], checkpoints: Any, artifacts: Any, folder: str, seconds: float = 0.0
    ) -> None:
        self._folder = Path(folder)
        self._seconds = seconds
        (self._folder / "workers").mkdir(exist_ok=True)
        (self._folder / "workers" / str(os.getpid())).touch()
        super().setup(config, checkpoints, artifacts)

    def _open_session(self, assignment: Assignment) -> Any:
        return SimulatedSession(assignment, self._folder, self._seconds)

    def _start(self) -> None:
        super()._start()
        step = self._undelivered[-1]["step"] if self._undelivered else 0
        note(self._folder, self._assignment.job, "from", step)

    def _run_round(self) -> None:
        super()._run_round()
        note(self._folder, self._assignment.job, "stored", self._undelivered[-1]["step"])


class SimulatedSession:
    """As `TrainingSession`: a round takes `seconds` and its score is that of the simulation."""

    def __init__(self, assignment: Assignment, folder: Path, seconds: float) -> None:
        self._assignment = assignment
        self._folder = folder
        self._seconds = seconds
        self.step = 0
        self.reports: list[dict[str, Any]] = []

    @property
    def finished(self) -> bool:
        return self.step >= self._assignment.steps

    def run_round(self) -> dict[str, Any]:
        time.sleep(self._seconds)
        self._misbehave()
        self.step = min(self.step + self._assignment.round_steps, self._assignment.steps)
        note(self._folder, self._assignment.job, "trained", self.step)
        score = simulated_score(self._assignment.to_json(), self.step)
        self.reports.append({"step": self.step, "score": score, "score_current": score + 0.1})
        return self.reports[-1]

    def estimates(self, split: str) -> list[Any]:
        return []

    def state(self) -> dict[str, bytes]:
        """As large as needs several writes, and different at every step."""
        progress = json.dumps({"step": self.step, "reports": self.reports}).encode()
        return {"model.pt": hashlib.sha256(progress).digest() * 2000, PROGRESS: progress}

    def load_state(self, files: dict[str, bytes]) -> None:
        progress = json.loads(files[PROGRESS])
        self.step, self.reports = progress["step"], progress["reports"]

    def _misbehave(self) -> None:
        if self.step == 0:
            self._die_or_wait_for_it()
            return
        if self._path("raise").exists():
            raise ValueError("this job cannot be trained")
        if self._path("hang").exists():
            self._path("hang").unlink()
            time.sleep(3600)
        if self._path("kill").exists():
            self._path("kill").unlink()
            os._exit(1)

    def _die_or_wait_for_it(self) -> None:
        if self._path("poison").exists():
            os.kill(os.getpid(), int(self._path("poison").read_text()))
            time.sleep(60)
        if self._path("prey").exists():
            with self._path("caught").open("a+") as caught:
                caught.seek(0)
                if len(caught.readlines()) < int(self._path("prey").read_text()):
                    caught.write(f"{os.getpid()}\n")
                    caught.flush()
                    time.sleep(3600)

    def _path(self, suffix: str) -> Path:
        return job_file(self._folder, self._assignment.job, suffix)


def simulated_parameters(folder: str | Path, seconds: float = 0.0) -> dict[str, Any]:
    """What `run_sweep` gives the trainable, all in one folder."""
    storage = Storage(folder)
    stores = {"checkpoints": StoredCheckpoints(storage), "artifacts": StoredArtifacts(storage)}
    return {**stores, "folder": str(folder), "seconds": seconds}


def job_file(folder: Path, job: str, suffix: str) -> Path:
    return folder / f"{job.replace('/', '.')}.{suffix}"


def note(folder: Path, job: str, what: str, step: int) -> None:
    with job_file(folder, job, "journal").open("a") as journal:
        journal.write(f"{what} {step}\n")


def journal_of(folder: Path, job: str) -> list[tuple[str, int]]:
    """The job's journal in order; empty for a job that no worker has taken up."""
    path = job_file(folder, job, "journal")
    lines = path.read_text().splitlines() if path.exists() else []
    return [(what, int(step)) for what, step in (line.split() for line in lines)]


def rounds_trained(folder: Path, job: str) -> list[int]:
    """The step at the end of every round that was trained, also of those whose worker died before storing it."""
    return [step for what, step in journal_of(folder, job) if what == "trained"]
