"""A sweep with everything real but training and scoring: command line, lock, Ray, study, storage, MLflow, verdict.

python -m tests.chaos.simulated_drive FOLDER SECONDS <arguments of sweep/run.py>

`FOLDER` gets the journals of `SimulatedTrainable`; `SECONDS` is what a round takes.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.simulation.simulated import Simulation
from sweep.commands.main import run_command
from sweep.core.jobs import Job
from sweep.core.stopping import StopSignal
from sweep.driver import driver
from sweep.engine.finalist_scoring import FinalistScoring
from sweep.engine.seed_number import further_seeds
from sweep.report.findings.metric_means import scores_of
from sweep.settings.settings import Planned
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.rows import ROW_SCHEMA, has_rows, rows_file, to_parquet
from sweep.verdict.result import Result
from trainables.base.randomness import generator
from trainables.inference import NOISY
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import stored_reports

_UTTERANCES = 8


class SimulatedScoring:
    """Stands in for `ScoringPool`: rows that spread around each finalist's last score."""

    def __init__(self, checkpoints: StoredCheckpoints, score_of: Callable[[Job], float]) -> None:
        self._checkpoints = checkpoints
        self._score_of = score_of

    def submit(self, assignment: Assignment, split: str) -> None:
        job = Job.parse(assignment.job)
        self._write(job.path, [self._row(job, split, utterance) for utterance in range(_UTTERANCES)], split)

    def submit_noisy(self, assignment: Assignment, split: str) -> None:
        rows = [_row(split, utterance, value=-5.0) for utterance in range(_UTTERANCES)]
        self._write(NOISY, rows, split)

    def has_scored(self, jobs: Iterable[str], split: str) -> bool:
        """Always: see `wait`."""
        return True

    def wait(self, stop: StopSignal) -> None:
        """All is written as it is submitted."""

    def grow(self, size: int) -> None:
        """There are no processes to add."""

    def close(self) -> None:
        """There is nothing to stop."""

    def _write(self, scored: str, rows: list[dict[str, Any]], split: str) -> None:
        if not has_rows(self._checkpoints, scored, split):
            self._checkpoints.write_result(scored, rows_file(split), to_parquet(rows))

    def _row(self, job: Job, split: str, utterance: int) -> dict[str, Any]:
        luck = generator(job.number, f"{job.path} {split}", utterance).normal(0, 0.05)
        identity = {"group": job.group, "candidate": job.candidate, "phase": job.phase, "seed": job.number}
        return _row(split, utterance, self._score_of(job) + float(luck)) | identity | {"job": job.path}


def _row(split: str, utterance: int, value: float) -> dict[str, Any]:
    """Of the noisy input, until a job puts its name on it."""
    named = dict.fromkeys(ROW_SCHEMA.names, None)
    described = {
        "split": split,
        "utterance": f"{split}-{utterance}",
        "speaker": f"speaker-{utterance % 4}",
        "noise_type": "hum",
        "snr_db": 0.0,
        "metric": "si_sdr",
        "value": value + 0.3 * utterance,
        "status": "ok",
        "gain": 1.0,
        "polarity": 1.0,
        "lag": 0,
    }
    return {**named, **described, "group": "", "candidate": NOISY, "phase": "", "seed": -1, "job": NOISY}


class SimulatedDrive(driver.Drive):
    """Through Ray, with real checkpoints."""

    folder: str
    seconds: float

    def __init__(self, *parts: Any) -> None:
        from benchmarks.simulation.simulated_trainable import SimulatedTrainable

        super().__init__(*parts)
        self.trainable = SimulatedTrainable

    def _compute_stages(self, listeners: Sequence[Any]) -> None:
        """There is nothing to pre-train."""

    def _gates(self) -> dict[str, Any]:
        return {}

    def _scoring_pool(self) -> Any:
        return SimulatedScoring(self.checkpoints, cache(self._last_stored_score))

    def _trainable_parameters(self) -> dict[str, Any]:
        return {**super()._trainable_parameters(), "folder": self.folder, "seconds": self.seconds}

    def _last_stored_score(self, job: Job) -> float:
        found = self.checkpoints.newest(job.path)
        assert found is not None, f"{job.path} has ended and left no checkpoint"
        return float(stored_reports(found[1])[-1]["score"])


class UnbrokenDrive(SimulatedDrive):
    """The same sweep without Ray, in this process: what an undisturbed run must come to."""

    def answer(self) -> Result:
        pool: Any = SimulatedScoring(self.checkpoints, self._reported_score)
        scoring = FinalistScoring(self.plan, self.store, self.checkpoints, pool, self.stop)
        looks = further_seeds(self.plan, self.storage, scoring.valid_rows)
        Simulation(self.plan, self.store, listeners=(scoring,), contention=looks).run()
        leaders = self._nominate(scoring)
        rows = self._test_rows(scoring)
        return self._confirm(rows, scores_of(self.plan, rows), leaders, None)

    def _reported_score(self, job: Job) -> float:
        record = self.store.record(job)
        assert record is not None
        assert record.score is not None
        return record.score


def main(folder: str, seconds: str, *arguments: str) -> int:
    SimulatedDrive.folder, SimulatedDrive.seconds = folder, float(seconds)
    real = driver.drive

    def simulated(planned: Planned, kind: type[driver.Drive] | None = None) -> Result:
        return real(planned, kind or SimulatedDrive)

    driver.drive = simulated
    return run_command("run", arguments)


if __name__ == "__main__":
    os.chdir(Path(sys.argv[1]))
    sys.exit(main(*sys.argv[1:]))
