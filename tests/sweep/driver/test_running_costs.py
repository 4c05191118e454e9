"""What candidates cost to run, measured of really trained finalists: once in a sweep, and on request of any."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulation.simulated import simulated_plan
from sweep.core.jobs import Job
from sweep.core.stopping import Interrupted, StopSignal
from sweep.driver.running_costs import costs_now, measured_once
from sweep.machines.workers import Workers
from sweep.plan.plan import Plan
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.storage.stage_store import stage_store
from sweep.stored import layout
from tests.support.sweeps.trained_sweep import FINALISTS, nuisance_of
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.enhancer import trained_method
from trainables.job.assignment import Assignment


def assigned(plan: Plan) -> list[tuple[Job, Assignment]]:
    return [(job, plan.assignment(job, nuisance_of(plan, job), attempt=1)) for job in FINALISTS]


def deployed(plan: Plan) -> int:
    """Parameters of the untrained candidate, which normalizes nothing: inference needs all of them."""
    job = FINALISTS[2]
    assert job.candidate == "random"
    assignment = plan.assignment(job, nuisance_of(plan, job), attempt=1)
    files = StoredCheckpoints(Storage(plan.output)).newest(job.path)
    assert files is not None
    method = trained_method(assignment, stage_store(plan.output), files[1])
    return sum(each.numel() for each in method.parameters())


def test_a_task_measures_every_candidate_once(ray_cluster: None, trained: Plan, tmp_path: Path) -> None:
    storage, checkpoints = Storage(str(tmp_path)), StoredCheckpoints(Storage(trained.output))
    stages, stop = stage_store(trained.output), StopSignal()
    found = measured_once(assigned(trained), storage, checkpoints, stages, stop)
    assert set(found) == {"tera"}
    assert set(found["tera"]) == {"layer1", "random"}
    # The branch that gives layer 1 its clean statistics is not deployed.
    assert [found["tera"][label]["parameters"] for label in ("layer1", "random")] == [deployed(trained)] * 2
    assert found["tera"]["layer1"]["mac_per_second"] == found["tera"]["random"]["mac_per_second"] > 1e6  # type: ignore[operator]
    assert all(cost["real_time_factor"] > 0 for cost in found["tera"].values())
    kept = json.loads(storage.read(layout.COSTS))
    assert kept == found
    # A later start takes what is stored, and measures what is new.
    kept["tera"]["layer1"]["real_time_factor"] = 123.0
    del kept["tera"]["random"]
    storage.write(layout.COSTS, json.dumps(kept).encode())
    again = measured_once(assigned(trained), storage, checkpoints, stages, stop)
    assert again["tera"]["layer1"]["real_time_factor"] == 123.0
    assert again["tera"]["random"]["parameters"] == found["tera"]["random"]["parameters"]


def test_weights_that_are_gone_cost_no_sweep_its_answer(
    ray_cluster: None, trained: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = StoredCheckpoints(Storage(str(tmp_path / "empty")))
    stages = stage_store(trained.output)
    assert measured_once(assigned(trained), Storage(str(tmp_path)), nothing, stages, StopSignal()) == {}
    assert "no checkpoint" in capsys.readouterr().err


def test_a_stop_is_heard(ray_cluster: None, trained: Plan, tmp_path: Path) -> None:
    stop = StopSignal()
    stop.ask("a test")
    checkpoints = StoredCheckpoints(Storage(trained.output))
    with pytest.raises(Interrupted):
        measured_once(assigned(trained), Storage(str(tmp_path)), checkpoints, stage_store(trained.output), stop)


def test_machines_are_taken_only_where_something_is_to_be_measured(tmp_path: Path) -> None:
    """A sweep whose jobs earlier sweeps have trained has none yet; Ray would start one of its own."""
    plan = simulated_plan(groups=("tera",), output=str(tmp_path))
    jobs = [(job, plan.assignment(job, {}, attempt=1)) for job in plan.final_jobs("tera")]
    storage, checkpoints, stages = Storage(str(tmp_path)), StoredCheckpoints(Storage(tmp_path)), stage_store("")

    def begin() -> list[str]:
        raise UserError("no machines here")

    workers = Workers(begin)
    with pytest.raises(UserError, match="no machines"):
        measured_once(jobs, storage, checkpoints, stages, StopSignal(), workers)
    known: dict[str, Any] = {"tera": {candidate.label: {} for candidate in plan.groups[0].candidates}}
    storage.write(layout.COSTS, json.dumps(known).encode())
    assert measured_once(jobs, storage, checkpoints, stages, StopSignal(), workers) == known


def test_any_finished_sweep_is_measured_on_request_and_nothing_is_stored(trained: Plan) -> None:
    storage = Storage(trained.output)
    before = storage.list("")
    costs = {entry["candidate"]: entry for entry in costs_now(trained, storage)}
    assert set(costs) == {"layer1", "random"}
    assert costs["layer1"]["parameters"] == deployed(trained)
    assert (costs["layer1"]["machine"]["core_seconds"] or 0) > 0
    assert storage.list("") == before


def test_without_a_finalists_weights_the_request_is_refused(trained: Plan, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint at step .*clean"):
        costs_now(trained, Storage(str(tmp_path)))
