"""A submitted sweep seen from outside: its status, its study, its runs in MLflow."""

import time
from dataclasses import dataclass
from functools import cache

from mlflow import MlflowClient
from optuna.storages import RDBStorage

from sweep.study.database import database_url
from sweep.study.study import JobRecord, StudyStore
from tests.cluster.conftest import Lab

_LOOK_SECONDS, _MLFLOW_SECONDS = 5.0, 600.0


def wait_until_finished(lab: Lab, sweep: str, seconds: float = 5400) -> None:
    """Poll the status as its owner would, from a laptop without a connection to it."""
    deadline = time.monotonic() + seconds
    said = ""
    while f"{sweep}  finished" not in said:
        assert "driver is dead" not in said, said
        assert time.monotonic() < deadline, said
        time.sleep(_LOOK_SECONDS)
        said = lab.laptop.ray("submit", "cluster.yaml", "sweep/status.py", sweep).stdout


def require_nothing_lost_and_nothing_twice(lab: Lab, sweep: str, jobs: int) -> None:
    """Each job is in the study once, complete, and soon in MLflow once: a sweep ends before MLflow has everything."""
    records = _records(lab, sweep)
    paths = sorted(record.job.path for record in records)
    assert len(set(paths)) == len(paths) == jobs
    assert {record.state for record in records} == {"complete"}
    deadline = time.monotonic() + _MLFLOW_SECONDS
    while (runs := sorted(_runs(lab, sweep))) != paths:
        assert len(runs) < len(paths), runs
        assert time.monotonic() < deadline, set(paths).difference(runs)
        time.sleep(_LOOK_SECONDS)


def jobs_done(lab: Lab, sweep: str) -> int:
    return sum(record.ended for record in _records(lab, sweep))


@dataclass(frozen=True)
class Work:
    """Training steps of all jobs of a sweep."""

    unbroken: int  # if each job had trained once
    trained_at_most: int
    handed_out_again: int

    def __str__(self) -> str:
        share = self.trained_at_most / self.unbroken
        return f"at most {self.trained_at_most} steps were trained, {share:.3f} of the unbroken {self.unbroken}"


def work_of(lab: Lab, sweep: str) -> Work:
    """From the study. A round is stored before it is reported, so each further attempt of a job repeats at most one
    round."""
    records = _records(lab, sweep)
    unbroken = sum(record.step for record in records)
    lost = sum((record.attempt - 1) * record.reports[0].step for record in records)
    again = sum(record.attempt > 1 for record in records)
    return Work(unbroken, unbroken + lost, again)


def _records(lab: Lab, sweep: str) -> list[JobRecord]:
    """The jobs' records, as the database has them now."""
    store = StudyStore(_database(lab.services["SPEECH_SWEEP_STUDY_URI"]), sweep)
    phases = [(group, phase) for group in ("tera", "wav2vec2") for phase in ("search", "final")]
    return [record for group, phase in phases for record in store.records(group, phase)]


@cache
def _database(uri: str) -> RDBStorage:
    """Cached, so that every call shares one connection pool."""
    return RDBStorage(database_url(uri).render_as_string(hide_password=False))


def _runs(lab: Lab, sweep: str) -> list[str]:
    """The names of the jobs' runs in MLflow."""
    client = MlflowClient(lab.services["MLFLOW_TRACKING_URI"])
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`speech_sweep.sweep` = '{sweep}'", max_results=1000)
    return [str(run.info.run_name) for run in runs if run.data.tags["speech_sweep.kind"] in ("search", "final")]
