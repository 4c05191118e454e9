"""A dry run of a resume approves what the start itself would, and says how much is done."""

import json
from pathlib import Path

import pytest

from sweep.plan.plan import Plan
from sweep.settings.dry_run import describe
from sweep.stored import layout
from sweep.study.study import Proposal, StudyStore
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


@pytest.fixture
def started(tmp_path: Path) -> Plan:
    """Of its jobs a search trial has ended and another is running."""
    planned = plan(tmp_path, "--name", "first", "--upstreams", "tera", "--samples", "2", "--seeds", "3")
    freeze(planned)
    store = StudyStore.of(planned.plan)
    ended, running = planned.plan.search_jobs("tera")[:2]
    for job in (ended, running):
        store.start(job, Proposal({}))
    store.end(ended, 1, "pruned")
    return planned.plan


def dry_run(folder: Path, *flags: str) -> str:
    return describe(resume(folder, "first", *flags))


def test_it_says_how_much_is_done(tmp_path: Path, started: Plan) -> None:
    assert "done       1 of these jobs; cost, time and disk are those of all" in dry_run(tmp_path)
    assert "done  " not in describe(plan(tmp_path, "--name", "second"))


def test_trials_are_approved_until_a_finalist_has_started(tmp_path: Path, started: Plan) -> None:
    assert "3 per candidate" in dry_run(tmp_path, "--samples", "3")
    StudyStore.of(started).start(started.final_jobs("tera")[0], Proposal({}))
    with pytest.raises(UserError, match="--samples 3: finalists of tera have started"):
        dry_run(tmp_path, "--samples", "3")


@pytest.mark.parametrize("study", ["there", "gone"])
def test_seeds_are_approved_until_the_leaders_are_named(tmp_path: Path, started: Plan, study: str) -> None:
    if study == "gone":
        Path(started.home, "study.db").unlink()
    assert "5 fresh seeds per candidate" in dry_run(tmp_path, "--seeds", "5")
    Storage(started.output).write(layout.NOMINATIONS, json.dumps({"leaders": {}}).encode())
    with pytest.raises(UserError, match="second look"):
        dry_run(tmp_path, "--seeds", "5")


def test_a_study_that_cannot_be_asked_is_said_and_left_alone(tmp_path: Path, started: Plan) -> None:
    file = Path(started.home, "study.db")
    for path in file.parent.glob("study.db*"):
        path.unlink()
    assert "done       not known, nor whether more could be added: sweep 'first' has no study" in dry_run(tmp_path)
    assert not file.exists()
    file.write_bytes(b"no database" * 100)
    assert "cannot open the study storage" in dry_run(tmp_path, "--samples", "3")
