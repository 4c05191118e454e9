"""Two users with one name, through the command line: real Ray, training, PostgreSQL and MLflow server; minutes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.mlflow_server import MlflowServer
from sweep.stored.by_name import load_plan
from sweep.study.outcomes import outcomes
from sweep.tracking.mlflow_view import KIND_TAG
from tests.support import REPOSITORY
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.sweeps.shared_servers import everything_of, runs_of

QUESTION = ["--space", "norm_layers", "--preset", "smoke", "--upstreams", "tera", "--seeds", "2"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Person:
    folder: Path
    addresses: dict[str, str]

    def start(self, *arguments: str, script: str = "run.py") -> subprocess.Popen[str]:
        cache = {"SPEECH_SWEEP_CACHE": str(self.folder.parent / "cache"), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "sweep" / script), *arguments],
            cwd=self.folder,
            env={**os.environ, **cache, **self.addresses},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str, script: str = "run.py") -> tuple[int, str, str]:
        process = self.start(*arguments, script=script)
        out, err = process.communicate()
        return process.returncode, out, err


@pytest.fixture
def people(tmp_path: Path, postgresql: Callable[[], str]) -> Iterator[tuple[Person, Person]]:
    (tmp_path / "mlflow").mkdir()
    server = MlflowServer(tmp_path / "mlflow")
    server.start()
    addresses = {"SPEECH_SWEEP_STUDY_URI": postgresql(), "MLFLOW_TRACKING_URI": server.uri}
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
    try:
        yield Person(tmp_path / "ada", addresses), Person(tmp_path / "bob", addresses)
    finally:
        server.kill()


def test_the_second_never_gets_the_firsts_name_and_the_first_is_undisturbed(
    people: tuple[Person, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = people
    for variable, address in ada.addresses.items():
        monkeypatch.setenv(variable, address)
    corpora = [make_tiny_corpus(tmp_path / name).uri for name in ("hers", "his")]
    hers, his = ([*QUESTION, "--name", "evening", "--corpus", corpus] for corpus in corpora)

    def refused() -> None:
        status, _, err = bob.run(*his)
        assert status == 2, err
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert "another sweep named 'evening'" in line
        assert str(ada.folder / "sweeps" / "evening") in line
        assert list(bob.folder.iterdir()) == []

    driver = ada.start(*hers)
    _wait_until(lambda: _ended(ada) >= 2)
    refused()  # while she runs
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    refused()  # while her crashed sweep waits
    status, _, err = ada.run("--resume", "evening")
    assert status == 0, err
    plan = load_plan("evening", str(ada.folder / "sweeps"))
    before = everything_of(plan)
    refused()  # after she has finished
    status, _, err = bob.run(*his, "--name", "night", "--dry-run")
    assert status == 0, err
    assert everything_of(plan) == before
    (sweep,) = [run for run in runs_of(plan).values() if run[4][KIND_TAG] == "sweep"]
    assert sweep[0] == "FINISHED"

    # And her folder may be moved.
    (ada.folder / "sweeps").rename(ada.folder / "elsewhere")
    status, _, err = ada.run("evening", "--output", "elsewhere", script="leaderboard.py")
    assert status == 0, err
    status, again, err = ada.run("--resume", "elsewhere/evening")
    assert status == 0, err
    assert "elsewhere/evening" in again
    assert not (ada.folder / "sweeps").exists()


def _ended(person: Person) -> int:
    folder = person.folder / "sweeps"
    if not (folder / "evening" / "heartbeat.json").exists():
        return 0
    from dataclasses import replace

    plan = replace(load_plan("evening", str(folder)), study_uri=person.addresses["SPEECH_SWEEP_STUDY_URI"])
    return sum(outcome.state == "complete" for outcome in outcomes(plan))


def _wait_until(condition: Callable[[], bool], seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.3)
