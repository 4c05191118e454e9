"""`sweep/replay.py`: a job trained again gives the stored bits, and where it does not, it says where."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from sweep.commands.main import run_command
from sweep.commands.replaying import StoredJob, replay, stored_job
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.storage.stage_store import stage_store
from sweep.stored import layout
from sweep.stored.missing_stages import corpus_of
from tests.support.sweeps.trained_sweep import FINALISTS, SEARCHED
from trainables.base.storage.storage import Storage
from trainables.job.checkpoints import PROGRESS
from trainables.session import TrainingSession


@pytest.fixture
def stored(trained: Plan) -> StoredJob:
    return stored_job(trained, Storage(trained.output), FINALISTS[0])


def unheard(line: str) -> None:
    """Takes a line of progress."""


@pytest.mark.parametrize("job", [FINALISTS[0], SEARCHED], ids=["finalist", "search trial"])
def test_a_replayed_job_is_equal(trained: Plan, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    before = Storage(trained.output).list("jobs")
    assert run_command("replay", ["trained", job.path]) == 0
    out = capsys.readouterr().out
    assert "step 4 of 4: equal" in out
    assert out.endswith(f"equal: {job.path}\n")
    assert ("no checkpoint is stored" in out) == (job is SEARCHED)
    assert Storage(trained.output).list("jobs") == before


def test_another_report_is_found_by_step_and_name(trained: Plan, stored: StoredJob) -> None:
    reports = {step: dict(report) for step, report in stored.reports.items()}
    reports[2]["loss_total"] += 1e-9
    found = replay(trained, replace(stored, reports=reports), unheard)
    assert found is not None
    assert found.startswith("at step 2: loss_total was ")


def flipped(name: str, place: Callable[[dict[str, Any]], torch.Tensor], files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with the last bit of one tensor's first number flipped."""
    state = torch.load(io.BytesIO(files[name]), weights_only=True)
    place(state).view(-1)[:1].view(torch.int32).bitwise_xor_(1)
    content = io.BytesIO()
    torch.save(state, content)
    return {**files, name: content.getvalue()}


def test_one_bit_of_the_model_is_found(trained: Plan, stored: StoredJob) -> None:
    assert stored.files is not None
    assert set(stored.files) == {"model.pt", PROGRESS}
    model = torch.load(io.BytesIO(stored.files["model.pt"]), weights_only=True)
    weight = next(name for name, tensor in model.items() if tensor.dtype == torch.float32)
    changed = flipped("model.pt", lambda state: state[weight], dict(stored.files))
    assert replay(trained, replace(stored, files=changed), unheard) == f"at its last step: model.pt, {weight}"


def test_one_bit_of_the_optimizer_of_a_job_under_way_is_found(trained: Plan, stored: StoredJob) -> None:
    """Of a job whose newest checkpoint is not its last."""
    artifacts = stage_store(trained.output)
    session = TrainingSession(stored.assignment, corpus_of(trained), artifacts)
    report = session.run_round()
    assert report["step"] == 2
    before = replace(stored, reports={2: stored.reports[2]}, files=session.state())
    assert replay(trained, before, unheard) is None
    changed = flipped("optimizer.pt", lambda state: state["state"][0]["average"], session.state())
    found = replay(trained, replace(before, files=changed), unheard)
    assert found == "at its last step: optimizer.pt, state.0.average"


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (
            "tera/final/layer9/seed-1001",
            "has no job 'tera/final/layer9/seed-1001'; they are named like tera/",
        ),
        ("nonsense", "has no job 'nonsense'"),
        ("tera/final/random/seed-1002", "has no report of tera/final/random/seed-1002"),
    ],
)
def test_bad_input_is_one_line(trained: Plan, job: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("replay", ["trained", job]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.fixture
def with_plan(trained: Plan) -> Iterator[Callable[[Plan], None]]:
    """Puts another plan.json in place for the test."""
    storage = Storage(trained.output)
    yield lambda plan: storage.write(layout.PLAN, json.dumps(plan.to_json()).encode())
    storage.write(layout.PLAN, json.dumps(trained.to_json()).encode())


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"code": "0123456789abcdef"}, 0, "training code 0123456789abcdef"),  # a warning
        ({"corpus_fingerprint": "another"}, 2, "it was another"),
    ],
)
def test_other_code_is_a_warning_and_another_corpus_is_refused(
    trained: Plan,
    with_plan: Callable[[Plan], None],
    changes: dict[str, Any],
    status: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_plan(replace(trained, **changes))
    assert run_command("replay", ["trained", SEARCHED.path]) == status
    assert says in capsys.readouterr().err


def test_a_difference_ends_with_status_1(
    trained: Plan, with_plan: Callable[[Plan], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same job with another learning rate than it was trained with."""
    with_plan(replace(trained, fixed={"lr_head": 1e-6}))
    assert run_command("replay", ["trained", FINALISTS[0].path]) == 1
    assert capsys.readouterr().out.startswith(f"different: {FINALISTS[0].path} at step 2: ")
