"""What the driver cannot do without may go away for a while: it waits, once, and nothing happens twice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.postgres_server import PostgresServer
from benchmarks.simulation.simulated import simulated_plan
from sweep.core.jobs import Job
from sweep.core.outage import Endurance, OutageTooLong, storage_is_away
from sweep.core.stopping import Interrupted
from sweep.storage.patient import PatientStorage
from sweep.study.database import DatabaseAway
from sweep.study.lock import sweep_lock
from sweep.study.study import Proposal, StudyStore
from tests.chaos.servers import BUCKET, S3Server, Server, create_bucket
from trainables.base.errors import UserError

JOB = Job("tera", "search", "layer2", 3)


class _Flaky:
    """Fails `failures` times, then gives 7."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return 7


def _endurance(said: list[str], **settings: Any) -> Endurance:
    return Endurance("the disk", storage_is_away, say=said.append, **settings)


def test_an_outage_is_waited_out_and_said_once() -> None:
    said: list[str] = []
    call = _Flaky(2, ConnectionError("refused"))
    assert _endurance(said).call(call) == 7
    assert call.calls == 3
    assert [line.split(" (")[0].split(" after")[0] for line in said] == [
        "the disk cannot be reached",
        "the disk can be reached again",
    ]


def test_after_an_outage_returned_is_called_first_and_then_the_careful_call() -> None:
    order: list[str] = []
    endurance = _endurance([], returned=lambda: order.append("returned"))

    def again() -> int:
        order.append("again")
        return 8

    assert endurance.call(_Flaky(1, OSError("gone")), again=again) == 8
    assert order == ["returned", "again"]


@pytest.mark.parametrize("error", [FileNotFoundError("none"), ValueError("bad"), PermissionError("no")])
def test_an_answer_is_no_outage(error: Exception) -> None:
    call = _Flaky(1, error)
    with pytest.raises(type(error)):
        _endurance([]).call(call)
    assert call.calls == 1


def test_what_does_not_come_back_interrupts_the_sweep_with_the_reason() -> None:
    with pytest.raises(OutageTooLong, match=r"the disk could not be reached for .*: refused") as raised:
        _endurance([], limit=0.2).call(_Flaky(1000, ConnectionError("refused")))
    assert isinstance(raised.value, Interrupted)


def test_no_password_is_said() -> None:
    said: list[str] = []
    _endurance(said).call(_Flaky(1, ConnectionError("at postgresql://me:secret@host/db")))
    assert "secret" not in said[0]
    assert "***" in said[0]


# -- the study's database ------------------------------------------------------------------------------


class _AnswerLost(InMemoryStorage):
    """Carries out the first call of each kind, and loses its answer."""

    def __init__(self) -> None:
        super().__init__()
        self._lost: set[str] = set()

    def _lose(self, kind: str, result: Any) -> Any:
        if kind not in self._lost:
            self._lost.add(kind)
            raise DatabaseAway("the connection broke")
        return result

    def create_new_study(self, *arguments: Any, **options: Any) -> int:
        return self._lose("study", super().create_new_study(*arguments, **options))

    def create_new_trial(self, *arguments: Any, **options: Any) -> int:
        return self._lose("trial", super().create_new_trial(*arguments, **options))

    def set_trial_user_attr(self, *arguments: Any) -> None:
        self._lose("attribute", super().set_trial_user_attr(*arguments))

    def set_trial_intermediate_value(self, *arguments: Any) -> None:
        self._lose("score", super().set_trial_intermediate_value(*arguments))

    def set_trial_state_values(self, *arguments: Any) -> bool:
        return self._lose("end", super().set_trial_state_values(*arguments))


def test_calls_whose_answer_was_lost_are_not_carried_out_twice() -> None:
    storage = _AnswerLost()
    store = StudyStore(storage, "sweep")
    store.start(JOB, Proposal({}))
    report = store.report(JOB, 1, 50, 1.5, {})
    assert report is not None
    assert store.end(JOB, 1, "complete", 1.5) is not None
    (study,) = storage.get_all_studies()
    (trial,) = storage.get_all_trials(study._study_id)
    assert (trial.state.name, trial.value, trial.intermediate_values) == ("COMPLETE", 1.5, {50: 1.5})


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("pg"))
    server.start()
    yield server
    server.close()


def _killed_for_a_while(server: Server, call: Callable[[], Any]) -> Any:
    """The result of a call that is made while the server is dead."""
    server.kill()
    back = threading.Timer(1.0, server.begin)
    back.start()
    try:
        return call()
    finally:
        back.join()


def test_a_database_that_is_killed_costs_time_and_nothing_else(database: PostgresServer) -> None:
    plan = simulated_plan(database.uri, name="outage")
    with sweep_lock(plan) as take_again:
        store = StudyStore(plan.study_uri, plan.name, returned=take_again)
        _killed_for_a_while(database, lambda: store.start(JOB, Proposal({})))
        assert _killed_for_a_while(database, lambda: store.report(JOB, 1, 50, 1.5, {"score": 1.5}))
        with pytest.raises(UserError, match="already being driven"):  # the lock was taken again
            sweep_lock(plan).__enter__()
        assert _killed_for_a_while(database, lambda: store.end(JOB, 1, "complete", 1.5))
    with sweep_lock(plan):
        pass
    again = StudyStore(plan.study_uri, plan.name)
    assert again.records("tera", "search") == [store.record(JOB)]
    assert Counter(record.state for record in again.records("tera", "search")) == {"complete": 1}


# -- storage -------------------------------------------------------------------------------------------


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    server = S3Server(tmp_path)
    server.start()
    create_bucket(server)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()


def test_patient_storage_waits_for_an_endpoint_that_is_killed(s3: S3Server) -> None:
    storage = PatientStorage(f"s3://{BUCKET}/sweep")
    _killed_for_a_while(s3, lambda: storage.write("a", b"kept"))
    assert _killed_for_a_while(s3, lambda: storage.read("a")) == b"kept"
    with pytest.raises(FileNotFoundError):
        _killed_for_a_while(s3, lambda: storage.read("b"))
