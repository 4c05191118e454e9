"""`leaderboard.py --watch`: what the study says of a running sweep, until it is over."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.simulation.simulated import Simulation, simulated_plan
from sweep.commands.main import run_command
from sweep.plan.plan import Plan
from sweep.progress.progress_state import ProgressState
from sweep.report.standings import standings
from sweep.report.watch import watch
from sweep.stored.heartbeat import beating
from sweep.study.outcomes import outcomes
from sweep.study.study import Proposal, StudyStore
from tests.support.sweeps.finished_sweep import finished_sweep
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


@pytest.fixture
def plan(study_uri: str, tmp_path: Path) -> Plan:
    return simulated_plan(study_uri, groups=("tera",), output=str(tmp_path / "sweep"))


def test_outcomes_are_what_the_study_store_says(plan: Plan) -> None:
    store = StudyStore(plan.study_uri, plan.name)
    assert outcomes(plan) == []
    Simulation(plan, store).run(killed_after=25)
    found = {(o.job, o.state, o.score) for o in outcomes(plan)}
    records = [r for phase in ("search", "final") for r in store.records("tera", phase)]
    assert found == {(r.job, r.state, r.score) for r in records}
    assert {"running", "complete"} <= {state for _, state, _ in found}


def test_another_sweep_in_the_same_database_stays_out(plan: Plan) -> None:
    other = replace(plan, name="simulatedX")
    Simulation(other, StudyStore(other.study_uri, other.name)).run(killed_after=10)
    StudyStore(plan.study_uri, plan.name).start(plan.search_jobs("tera")[0], Proposal({}))
    assert len(outcomes(plan)) == 1


def test_standings_count_and_rank(tmp_path: Path) -> None:
    plan = simulated_plan(f"sqlite:///{tmp_path}/study.db", groups=("tera",))
    store = StudyStore(plan.study_uri, plan.name)
    Simulation(plan, store).run()
    (group,) = standings(plan, outcomes(plan))
    best = group["candidates"][0]
    finals = [r.score for r in store.records("tera", "final") if r.job.candidate == best["label"]]
    assert best["label"] == "layer2"  # as the simulation has it
    assert best["final_score"] == pytest.approx(sum(score or 0.0 for score in finals) / len(finals))
    assert best["final"] == {"planned": 2, "done": 2, "running": 0, "failed": 0}
    searched = [r.score for r in store.records("tera", "search") if r.job.candidate == best["label"]]
    assert best["best_search_score"] == max(score for score in searched if score is not None)


def after_each(*events: Callable[[], object]) -> Callable[[float], None]:
    """A sleep in whose course the next event happens."""
    waiting = list(events)

    def sleep(seconds: float) -> None:
        waiting.pop(0)()

    return sleep


def test_watch_shows_every_change_until_the_sweep_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = simulated_plan(f"sqlite:///{tmp_path}/study.db", groups=("tera",), output=str(tmp_path))
    storage, store = Storage(tmp_path), StudyStore(f"sqlite:///{tmp_path}/study.db", plan.name)
    simulation = Simulation(plan, store)
    driver = beating(storage, ProgressState(plan, phase="searching").snapshot)
    driver.__enter__()
    nothing, more = (lambda: None), (lambda: simulation.run(killed_after=12))
    end = lambda: driver.__exit__(None, None, None)  # noqa: E731
    watch(plan, storage, sleep=after_each(nothing, more, nothing, end))
    out = capsys.readouterr().out
    assert out.count("best trial") == 2  # before the first job and after some of them
    assert "0 of 3" in out
    assert "searching | 0 of" in out


def test_watching_what_stopped_says_how_to_go_on(tmp_path: Path) -> None:
    output = tmp_path / "simulated"
    plan = simulated_plan(f"sqlite:///{tmp_path}/study.db", output=str(output))
    with pytest.raises(UserError, match=rf"never started.*--resume simulated --output {tmp_path}$"):
        watch(plan, Storage(output))


def test_watching_a_finished_sweep_shows_its_leaderboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = finished_sweep(tmp_path)
    StudyStore(plan.study_uri, plan.name)  # creates the file
    assert run_command("leaderboard", ["evening", "--watch", "--output", str(tmp_path)]) == 0
    assert "winner" in capsys.readouterr().out
    assert run_command("leaderboard", ["evening", "--watch", "--format", "json", "--output", str(tmp_path)]) == 2
    assert "--watch shows tables" in capsys.readouterr().err
    assert json.loads(Storage(plan.output).read("heartbeat.json"))["state"] == "finished"
