"""Folders whose names mean something in an address: study, MLflow and artifacts lie in exactly that folder."""

import json
import shlex
import shutil
import sqlite3
from pathlib import Path
from typing import cast

import pytest

from sweep.commands.main import run_command
from sweep.frames import trials
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.study.study import Proposal, StudyStore
from sweep.tracking.mlflow_view import for_mlflow, open_client
from sweep.tracking.namesake import refuse_namesake
from sweep.tracking.tracker import Tracker
from sweep.verdict.result import Result
from tests.support.sweeps.small_sweep import make_result, tell_job
from tests.support.sweeps.typed_plan import freeze, plan
from trainables.base.errors import UserError

HOSTILE = [
    *("a?b", "a%20b", "a#b", "a b", "Müllers Läufe", "a%3Fb", "50%", "a&password=c", "x***y", "it's", 'say "x"'),
    *("a+b", "a;b", "a\\b", "[x]", "file:", "me:pw@host", "-x", "http:", "a?mode=ro&uri=true", "$(x)"),
]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: migrating one takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(params=HOSTILE)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.fixture
def driven(base: Path, migrated: Path) -> Plan:
    """A sweep below it that has a job in its study and in MLflow, and a report there."""
    planned = plan(base.parent, "--output", str(base), "--name", "evening", "--upstreams", "tera", "--preset", "smoke")
    freeze(planned)
    sweep = planned.plan
    shutil.copyfile(migrated, Path(sweep.home, layout.TRACKING))
    job = next(sweep.all_jobs())
    store = StudyStore.of(sweep)
    store.claim(sweep)
    store.start(job, Proposal({}))
    tracker = Tracker(sweep, Path(sweep.home, layout.SPOOL))
    tell_job(tracker, job)
    tracker.log_results(cast(Result, make_result(sweep)), {layout.PLAN: Path(sweep.output, layout.PLAN)})
    tracker.close()
    return sweep


def test_everything_lands_in_that_folder_and_is_found_again(
    base: Path, driven: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(base.parent.iterdir()) == [base]
    assert list(base.iterdir()) == [base / "evening"]
    inside = {path.name.removesuffix("-wal").removesuffix("-shm") for path in (base / "evening").iterdir()}
    assert inside == {layout.PLAN, layout.STUDY, layout.TRACKING, layout.ARTIFACTS}
    assert _count(base / "evening" / layout.STUDY, "trials") == 1
    assert _count(base / "evening" / layout.TRACKING, "runs") == 2 + 5  # the sweep, the job, the candidates
    assert len(list((base / "evening" / layout.ARTIFACTS).rglob(f"artifacts/{layout.PLAN}"))) == 1

    assert list(trials("evening", output=str(base))["job"]) == [next(driven.all_jobs()).path]
    monkeypatch.chdir(base.parent)
    assert run_command("status", ["evening", "--output", str(base), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert "/#/experiments/1/runs" in said["mlflow_page"]  # the experiment was found in the file
    words = shlex.split(said["next"][-1])
    assert words[words.index("--backend-store-uri") + 1] == for_mlflow(driven.tracking_uri)
    with pytest.raises(UserError, match="another sweep named"):
        refuse_namesake(_renamed(driven))


def _count(file: Path, table: str) -> int:
    with sqlite3.connect(file) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _renamed(sweep: Plan) -> Plan:
    return Plan.from_json({**sweep.to_json(), "identity": "0" * 32})
