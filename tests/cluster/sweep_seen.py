"""What can be known of a submitted sweep from elsewhere: its status, its study, its page in MLflow."""

import time
from dataclasses import dataclass
from functools import cache

from mlflow import MlflowClient
from optuna.storages import RDBStorage

from sweep.study.database import database_url
from sweep.study.study import JobRecord, StudyStore
from tests.cluster.conftest import Lab

_LOOK_SECONDS = 5.0


def wait_until_finished(lab: Lab, sweep: str, seconds: float = 1200) -> None:
    """Ask as its owner would, from a laptop that has no connection to it."""
    deadline = time.monotonic() + seconds
    said = ""
    while f"{sweep}  finished" not in said:
        assert "driver is dead" not in said, said
        assert time.monotonic() < deadline, said
        time.sleep(_LOOK_SECONDS)
        said = lab.laptop.ray("submit", "cluster.yaml", "sweep/status.py", sweep).stdout


def require_nothing_lost_and_nothing_twice(lab: Lab, sweep: str, jobs: int) -> None:
    """Each job once in the study, complete; and once in MLflow."""
    records = _records(lab, sweep)
    paths = sorted(record.job.path for record in records)
    assert len(set(paths)) == len(paths) == jobs
    assert {record.state for record in records} == {"complete"}
    assert sorted(_runs(lab, sweep)) == paths


def jobs_done(lab: Lab, sweep: str) -> int:
    return sum(record.ended for record in _records(lab, sweep))


@dataclass(frozen=True)
class Work:
    """Training steps of all jobs of a sweep."""

    unbroken: int  # what each job had to train, once
    trained_at_most: int
    handed_out_again: int

    def __str__(self) -> str:
        share = self.trained_at_most / self.unbroken
        return (
            f"at most {self.trained_at_most} steps were trained, {share:.3f} of the unbroken {self.unbroken}"
        )


def work_of(lab: Lab, sweep: str) -> Work:
    """By the study. A round is stored before it is reported and taken up from there, so each time that a job was
    handed out again at most the round under way was lost."""
    records = _records(lab, sweep)
    unbroken = sum(record.step for record in records)
    lost = sum((record.attempt - 1) * record.reports[0].step for record in records)
    again = sum(record.attempt > 1 for record in records)
    return Work(unbroken, unbroken + lost, again)


def _records(lab: Lab, sweep: str) -> list[JobRecord]:
    """As the database has them now."""
    store = StudyStore(_database(lab.services["SPEECH_SWEEP_STUDY_URI"]), sweep)
    phases = [(group, phase) for group in ("tera", "wav2vec2") for phase in ("search", "final")]
    return [record for group, phase in phases for record in store.records(group, phase)]


@cache
def _database(uri: str) -> RDBStorage:
    """With one pool of connections, however often it is asked."""
    return RDBStorage(database_url(uri).render_as_string(hide_password=False))


def _runs(lab: Lab, sweep: str) -> list[str]:
    """The names of the jobs' runs in MLflow."""
    client = MlflowClient(lab.services["MLFLOW_TRACKING_URI"])
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`speech_sweep.sweep` = '{sweep}'", max_results=1000)
    return [
        str(run.info.run_name) for run in runs if run.data.tags["speech_sweep.kind"] in ("search", "final")
    ]
