"""The simulated sweep as Ray Tune runs it: a trainable that keeps its step in a file and trains nothing."""

import os
import time
from pathlib import Path
from typing import Any

from ray import tune

from tests.sweep.simulated import simulated_score


class SimulatedTrainable(tune.Trainable):
    """Reports as `SpeechTrainable` does, and misbehaves where a file in `folder` says so.

    `folder/<job with dots>.step` is its checkpoint. Beside it, `<job>.kill` makes the worker kill itself once,
    `<job>.hang` hang once and `<job>.raise` raise every time, all in the second round.
    """

    def setup(self, config: dict[str, Any], folder: str, seconds: float = 0.0) -> None:
        self._folder = Path(folder)
        self._seconds = seconds
        self._take_up(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._take_up(new_config)
        return True

    def step(self) -> dict[str, Any]:
        assignment = self._assignment
        if self._undelivered is None:
            time.sleep(self._seconds)
            self._misbehave()
            step = min(self._step + assignment["round_steps"], assignment["steps"])
            temporary = self._path("step").with_suffix(f".{os.getpid()}")
            temporary.write_text(str(step))
            temporary.replace(self._path("step"))
            with self._path("rounds").open("a") as rounds:
                rounds.write(f"{step}\n")
            self._undelivered = step
        self._step, self._undelivered = self._undelivered, None
        score = simulated_score(assignment, self._step)
        return {
            "job": assignment["job"],
            "attempt": assignment["attempt"],
            "step": self._step,
            "score": score,
            "score_current": score + 0.1,
            "done": self._step >= assignment["steps"],
        }

    def _take_up(self, config: dict[str, Any]) -> None:
        self._assignment = config["assignment"]
        path = self._path("step")
        self._step = int(path.read_text()) if path.exists() else 0
        self._undelivered: int | None = self._step or None

    def _misbehave(self) -> None:
        if self._step == 0:
            return
        if self._path("raise").exists():
            raise ValueError("this job cannot be trained")
        if self._path("hang").exists():
            self._path("hang").unlink()
            time.sleep(3600)
        if self._path("kill").exists():
            self._path("kill").unlink()
            os._exit(1)

    def _path(self, suffix: str) -> Path:
        return job_file(self._folder, self._assignment["job"], suffix)


def job_file(folder: Path, job: str, suffix: str) -> Path:
    return folder / f"{job.replace('/', '.')}.{suffix}"
