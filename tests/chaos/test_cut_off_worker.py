"""A worker whose machine loses the network ends itself within the lease, and its job goes on elsewhere."""

import errno
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.simulation.simulated import Simulation, facts, simulated_plan
from benchmarks.simulation.simulated_trainable import SimulatedTrainable, rounds_trained
from sweep.core.jobs import Job
from sweep.engine.tune_run import run_sweep
from sweep.engine.watchdog import Patience
from sweep.machines.ray_session import ray_session
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.study.study import StudyStore
from tests.chaos.servers import BUCKET, S3Server, create_bucket
from trainables.base.storage.storage import Storage

pytestmark = pytest.mark.chaos

CUT_OFF = "tera/search/layer2/0003"


class CutOffTrainable(SimulatedTrainable):
    """One job's first worker loses its network in the second round, and would hang in it forever."""

    def _run_round(self) -> None:
        job = self._assignment
        if (job.job, job.attempt) == (CUT_OFF, 1) and self._session is not None and self._session.step:
            lose_network()
            threading.Event().wait()
        super()._run_round()


def lose_network() -> None:
    """For all that this process does in Python: storage's connections, open ones too, and the lease's own."""

    def unreachable(*_: Any) -> NoReturn:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    socket.socket.connect = unreachable  # type: ignore[method-assign]  # in a worker, where no test's fixture reaches
    socket.socket.sendall = unreachable  # type: ignore[method-assign]  # likewise


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    (tmp_path / "s3").mkdir()
    server = S3Server(tmp_path / "s3")
    server.start()
    create_bucket(server)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield Storage(f"s3://{BUCKET}/cut-off")
    server.close()


@pytest.mark.timeout(1800)
def test_a_worker_without_network_ends_itself_and_its_job_is_done_by_another(bucket: Storage, tmp_path: Path) -> None:
    """The watchdog waits for hours, so only the lease can end the worker."""
    plan = simulated_plan(f"sqlite:///{tmp_path}/study.db", groups=("tera",), samples=2, seeds=1)
    undisturbed = StudyStore(InMemoryStorage(), plan.name)
    Simulation(plan, undisturbed).run()
    store = StudyStore(plan.study_uri, plan.name)
    stores = {"checkpoints": StoredCheckpoints(bucket), "artifacts": StoredArtifacts(bucket)}
    parameters = {**stores, "folder": str(tmp_path)}
    with ray_session(cpus=2):
        run_sweep(plan, store, parameters, trainable_cls=CutOffTrainable, patience=Patience(least=7200))
    assert facts(store, plan) == facts(undisturbed, plan)
    record = store.record(Job.parse(CUT_OFF))
    assert record is not None
    assert record.attempt == 2
    assert rounds_trained(tmp_path, CUT_OFF) == [2, 4, 6, 8]
