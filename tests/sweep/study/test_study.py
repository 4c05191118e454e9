"""The study: what it records, what it refuses, and that a second process reads the same."""

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from sweep.core.jobs import Job
from sweep.core.listener import EndState
from sweep.study.database import StudyDatabase, file_system_of
from sweep.study.study import JobRecord, Proposal, StudyStore
from trainables.base.errors import UserError

JOB = Job("tera", "search", "layer2", 3)
RATES = CategoricalDistribution([1e-3, 2e-3])
PROPOSAL = Proposal({"lr_head": 2e-3}, {"lr_head": 2e-3}, {"lr_head": RATES})


@pytest.fixture
def store(study_uri: str) -> StudyStore:
    return StudyStore(study_uri, "sweep")


def _reopened(study_uri: str, job: Job = JOB) -> JobRecord | None:
    return StudyStore(study_uri, "sweep").record(job)


def test_a_job_as_started_reported_and_ended_is_what_another_process_reads(store: StudyStore, study_uri: str) -> None:
    store.start(JOB, PROPOSAL, generation=1)
    assert store.report(JOB, 1, 50, 1.5, {"score": 1.5, "loss_total": 0.3})
    assert store.report(JOB, 1, 100, 2.5, {"score": 2.5})
    store.end(JOB, 1, "complete", score=2.5)

    record = store.record(JOB)
    assert record is not None
    assert (record.state, record.attempt, record.generation, record.step) == ("complete", 1, 1, 100)
    assert record.scores == {50: 1.5, 100: 2.5}
    assert record.reports[0].metrics == {"score": 1.5, "loss_total": 0.3}
    assert record.score == 2.5
    assert record.nuisance == {"lr_head": 2e-3}
    assert _reopened(study_uri) == record


def test_a_study_of_the_first_layout_is_read_as_ever(study_uri: str) -> None:
    """It had every fact of a hand-out as an attribute of its own."""
    facts = {"generation": 1, "nuisance": {"lr_head": 2e-3}, "started_ms": 1_000}
    trial = create_trial(state=TrialState.RUNNING, user_attrs={"job": JOB.path, "attempt": 2, **facts})
    database = StudyDatabase(study_uri)
    database.create_trial(database.create_study("sweep/tera/search"), trial)
    record = _reopened(study_uri)
    assert record is not None
    assert (record.attempt, record.generation, record.started_ms) == (2, 1, 1_000)
    assert record.nuisance == {"lr_head": 2e-3}


@pytest.mark.parametrize(
    ("state", "score", "reason"),
    [("complete", 2.5, None), ("pruned", 1.5, "below the median"), ("failed", None, "loss is not finite")],
)
def test_every_end_keeps_its_state_score_and_reason(
    store: StudyStore, study_uri: str, state: EndState, score: float | None, reason: str | None
) -> None:
    store.start(JOB, PROPOSAL)
    store.end(JOB, 1, state, score, reason)
    record = _reopened(study_uri)
    assert record is not None
    assert (record.state, record.score, record.reason) == (state, score, reason)


def test_reports_of_an_older_attempt_are_dropped(store: StudyStore, study_uri: str) -> None:
    store.start(JOB, PROPOSAL)
    assert store.restart(JOB).attempt == 2
    assert store.report(JOB, 1, 50, 9.0, {}) is None
    assert store.end(JOB, 1, "failed", reason="an older attempt") is None
    assert _reopened(study_uri) == store.record(JOB)
    record = store.record(JOB)
    assert record is not None
    assert record.scores == {}


def test_a_repeated_report_keeps_the_first_score_and_time(store: StudyStore) -> None:
    store.start(JOB, PROPOSAL)
    first = store.report(JOB, 1, 50, 1.5, {})
    assert store.report(JOB, 1, 50, 7.0, {}) is None
    record = store.record(JOB)
    assert record is not None
    assert record.reports == (first,)


def test_a_job_ends_once(store: StudyStore, study_uri: str) -> None:
    store.start(JOB, PROPOSAL)
    assert store.end(JOB, 1, "complete", 1.0)
    assert store.end(JOB, 1, "failed", reason="too late") is None
    assert store.report(JOB, 1, 50, 1.0, {}) is None
    record = _reopened(study_uri)
    assert record is not None
    assert record.state == "complete"


def test_records_come_in_the_order_of_their_start_and_phases_are_apart(store: StudyStore, study_uri: str) -> None:
    jobs = [Job("tera", "search", "none", 0), Job("tera", "search", "layer1", 1)]
    for job in jobs:
        store.start(job, PROPOSAL)
    store.start(Job("tera", "final", "none", 1001), Proposal({}))
    reader = StudyStore(study_uri, "sweep")
    assert [record.job for record in reader.records("tera", "search")] == jobs
    assert [record.job.number for record in reader.records("tera", "final")] == [1001]
    assert reader.records("wav2vec2", "search") == []


def test_two_sweeps_share_a_database(store: StudyStore, study_uri: str) -> None:
    store.start(JOB, PROPOSAL)
    assert StudyStore(study_uri, "another").record(JOB) is None


def test_sqlite_lets_others_read_while_the_driver_writes(tmp_path: Path) -> None:
    store = StudyStore(f"sqlite:///{tmp_path}/study.db", "sweep")
    store.start(JOB, PROPOSAL)
    with sqlite3.connect(tmp_path / "study.db", isolation_level=None) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (1,)
        assert store.report(JOB, 1, 50, 1.5, {})


def beside(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_closed_sqlite_study_is_one_file_and_stays_one_whoever_reads_it(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/study.db"
    store = StudyStore(uri, "sweep")
    store.start(JOB, PROPOSAL)
    assert beside(tmp_path) == {"study.db", "study.db-wal", "study.db-shm"}
    store.close()
    assert beside(tmp_path) == {"study.db"}
    with contextlib.closing(StudyStore(uri, "sweep", reading=True)) as reader:
        assert reader.record(JOB) == store.record(JOB)
        assert beside(tmp_path) == {"study.db"}
    with contextlib.closing(sqlite3.connect(f"file:{tmp_path}/study.db?mode=ro", uri=True)) as other_program:
        assert other_program.execute("SELECT count(*) FROM trials").fetchone() == (1,)
    assert beside(tmp_path) == {"study.db"}


def test_a_resumed_driver_writes_ahead_again_and_a_reader_keeps_it_from_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/study.db"
    with contextlib.closing(StudyStore(uri, "sweep")) as first:
        first.start(JOB, PROPOSAL)
    with contextlib.closing(StudyStore(uri, "sweep")) as second:
        assert second.report(JOB, 1, 50, 1.5, {})
        with contextlib.closing(sqlite3.connect(tmp_path / "study.db", isolation_level=None)) as reader:
            assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM trials").fetchone() == (1,)
            begin = time.monotonic()
            second.close()  # the reader still has it open
            assert time.monotonic() - begin < 10
            reader.execute("ROLLBACK")
    assert beside(tmp_path) == {"study.db"}


@pytest.mark.parametrize(
    "uri",
    ["study.db", "sqlite:////nowhere/at/all/study.db", "postgresql://nobody:secret@127.0.0.1:1/none"],
)
def test_an_unusable_database_is_one_clear_line(uri: str) -> None:
    with pytest.raises(UserError, match="study") as raised:
        StudyStore(uri, "sweep")
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/home/me/study.db", "nfs4"), ("/home/local/study.db", "ext4"), ("/tmp/study.db", "overlay")],
)
def test_the_deepest_mount_decides_which_file_system_a_path_is_on(path: str, kind: str) -> None:
    mounts = [("/", "overlay"), ("/home", "nfs4"), ("/home/local", "ext4")]
    assert file_system_of(Path(path), mounts) == kind


def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.study.database._mounts", lambda: [("/", "ext4"), (str(tmp_path), "nfs4")])
    with pytest.raises(UserError, match=r"network file system \(nfs4\).*postgresql://"):
        StudyStore(f"sqlite:///{tmp_path}/study.db", "sweep")
