"""What can be known of a submitted sweep from elsewhere: its status, its study, its page in MLflow."""

import time

from mlflow import MlflowClient

from sweep.study import StudyStore
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
    store = StudyStore(lab.services["SPEECH_SWEEP_STUDY_URI"], sweep)
    phases = [(group, phase) for group in ("tera", "wav2vec2") for phase in ("search", "final")]
    records = [record for group, phase in phases for record in store.records(group, phase)]
    paths = sorted(record.job.path for record in records)
    assert len(set(paths)) == len(paths) == jobs
    assert {record.state for record in records} == {"complete"}
    assert sorted(_runs(lab, sweep)) == paths


def _runs(lab: Lab, sweep: str) -> list[str]:
    """The names of the jobs' runs in MLflow."""
    client = MlflowClient(lab.services["MLFLOW_TRACKING_URI"])
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`speech_sweep.sweep` = '{sweep}'", max_results=1000)
    return [
        str(run.info.run_name) for run in runs if run.data.tags["speech_sweep.kind"] in ("search", "final")
    ]
