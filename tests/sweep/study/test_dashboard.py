"""`optuna-dashboard` opens our study and shows names a person understands: the real package, asked over its API."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest

from benchmarks.ports import free_port
from search_spaces import find_space
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.study.claim import foreign_claim
from sweep.study.study import Proposal, StudyStore
from tests.support.sweeps.small_sweep import make_plan

PROGRAM = Path(sys.executable).with_name("optuna-dashboard")
PATIENCE = 60.0  # seconds

SEARCH = [Job("tera", "search", label, number) for number, label in enumerate(("none", "layer1", "layer2"))]
FINAL = Job("tera", "final", "layer2", 1001)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A sweep's studies as its driver writes them: a complete, a stopped, a failed and a running job."""
    from sweep.search.proposals import trial_of

    folder = tmp_path_factory.mktemp("sweeps")
    plan = make_plan(folder, identity="a1b2")
    with contextlib.closing(StudyStore.of(plan)) as store:
        store.claim(plan)
        for job in SEARCH:
            proposal = _proposal(plan, job)
            store.start(job, proposal)
            store.report(job, 1, 50, 1.0 + job.number, {"score": 1.0 + job.number})
        store.end(SEARCH[0], 1, "complete", score=1.0)
        store.end(SEARCH[1], 1, "pruned", score=2.0, reason="below the median")
        store.end(SEARCH[2], 1, "failed", reason="the loss is not finite")
        store.start(FINAL, Proposal({"lr_head": 1e-3}))
        assert all(trial_of(record) for record in store.records("tera", "search"))
    return plan


def _proposal(plan: Plan, job: Job) -> Proposal:
    """Its parameters as the sampler draws them."""
    from optuna.distributions import CategoricalDistribution

    labels = CategoricalDistribution([candidate.label for candidate in plan.group_plan(job.group).candidates])
    rates = CategoricalDistribution([1e-3, 2e-3])
    params = {"candidate": job.candidate, "lr_head": 1e-3}
    return Proposal({"lr_head": 1e-3}, params, {"candidate": labels, "lr_head": rates})


@pytest.fixture(scope="module")
def dashboard(plan: Plan) -> Iterator[str]:
    """Its address, as a user starts it."""
    port = free_port()
    command = [str(PROGRAM), plan.study_uri, "--port", str(port), "--server", "wsgiref", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "the dashboard has ended"
        with contextlib.suppress(urllib.error.URLError):
            ask(address, "/api/meta")
            break
        assert time.monotonic() < until, "the dashboard does not answer"
        time.sleep(0.2)
    yield address
    process.terminate()
    process.wait(10)


def ask(address: str, path: str) -> Any:
    with urllib.request.urlopen(address + path, timeout=10) as response:
        return json.load(response)


def detail(dashboard: str, name: str) -> Any:
    studies = {study["study_name"]: study["study_id"] for study in ask(dashboard, "/api/studies")["study_summaries"]}
    return ask(dashboard, f"/api/studies/{studies[name]}")


def attributes(trial: Any) -> dict[str, str]:
    return {attribute["key"]: attribute["value"] for attribute in trial["user_attrs"]}


def test_every_group_and_phase_is_a_study_by_name(dashboard: str, plan: Plan) -> None:
    found = ask(dashboard, "/api/studies")["study_summaries"]
    assert {study["study_name"] for study in found} == {
        "evening/tera/search", "evening/tera/final", "evening/wav2vec2/search", "evening/wav2vec2/final",
    }  # fmt: skip
    assert {tuple(study["directions"]) for study in found} == {("maximize",)}


def test_trials_have_their_candidates_and_honest_states(dashboard: str) -> None:
    trials = detail(dashboard, "evening/tera/search")["trials"]
    assert [(attributes(trial)["job"], trial["state"]) for trial in trials] == [
        ("tera/search/none/0000", "Complete"),
        ("tera/search/layer1/0001", "Pruned"),
        ("tera/search/layer2/0002", "Fail"),
    ]
    params = [{param["name"]: param["param_external_value"] for param in trial["params"]} for trial in trials]
    assert [found["candidate"] for found in params] == ["none", "layer1", "layer2"]
    (final,) = detail(dashboard, "evening/tera/final")["trials"]
    assert (attributes(final)["job"], final["state"]) == ("tera/final/layer2/seed-1001", "Running")


@pytest.mark.parametrize("phase", ["search", "final"])
def test_the_objective_has_a_name_and_the_note_says_the_question(dashboard: str, plan: Plan, phase: str) -> None:
    found = detail(dashboard, f"evening/tera/{phase}")
    assert found["objective_names"] == ["SI-SDR (dB) on valid"]
    body = found["note"]["body"]
    assert find_space("norm_layers").question in body
    assert ("Search trials of tera" if phase == "search" else "Finalists of tera") in body
    assert "leaderboard" in body


def test_a_note_that_a_user_has_edited_stays_and_the_sweeps_own_facts_do(plan: Plan) -> None:
    study = optuna.load_study(study_name="evening/tera/search", storage=plan.study_uri)
    optuna_dashboard.save_note(study, "mine")
    study._storage.remove_session()
    with contextlib.closing(StudyStore.of(plan)) as store:
        store.claim(plan)
        records = store.records("tera", "search")
    assert optuna_dashboard.get_note(study) == "mine"
    assert [record.job for record in records] == SEARCH
    assert [record.state for record in records] == ["complete", "pruned", "failed"]
    assert foreign_claim(plan) is None
