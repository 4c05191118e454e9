"""An MLflow server that asks for credentials: every question to it carries those that MLflow knows."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from sweep.core.jobs import Job
from sweep.stored import layout
from sweep.tracking.mlflow_page import experiment_name, find_experiment, page_url
from sweep.tracking.mlflow_view import MlflowView
from sweep.tracking.run_lookup import job_of_run
from sweep.tracking.server import without_user
from sweep.winners import find_winner
from tests.support.servers.guarded_mlflow import PASSWORD, TOKEN, USER, Door, guarded_mlflow
from tests.support.sweeps.finished_sweep import finished_sweep
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

SPACE = "norm_layers"
JOB = "evening/tera/final/none/seed-1001"


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Door]]:
    with guarded_mlflow(tmp_path_factory.mktemp("mlflow"), tls=request.param) as server:
        yield server


@pytest.fixture
def address(guarded: tuple[str, Door], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Without credentials; none are known, and the certificate is not checked."""
    for name in ("USERNAME", "PASSWORD", "TOKEN", "URI"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    return guarded[0]


def know(how: str, address: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    """Makes the credentials known; the address to use."""
    match how:
        case "environment":
            monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
            monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        case "file":
            (home / ".mlflow").mkdir(parents=True)
            password = PASSWORD.replace("%", "%%")  # the file is read by configparser
            (home / ".mlflow" / "credentials").write_text(
                f"[mlflow]\nmlflow_tracking_username = {USER}\nmlflow_tracking_password = {password}\n"
            )
        case "token":
            monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
        case "address":
            return address.replace("://", f"://{USER}:{quote(PASSWORD, safe='')}@")
    return address


@pytest.mark.parametrize("how", ["environment", "file", "token", "address"])
def test_a_run_is_found_with_the_credentials_that_made_it(
    address: str, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = know(how, address, monkeypatch, tmp_path / "home")
    view = MlflowView(uri, experiment_name(SPACE), "evening", None)
    view.apply([{"kind": "start", "run": JOB, "name": JOB, "time": 1, "params": {}, "tags": {}}])
    run = view._runs[JOB]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    found = job_of_run(run, str(tmp_path))
    assert found is not None
    assert f"{found.sweep}/{found.job}" == JOB
    assert job_of_run("0" * 32, str(tmp_path)) is None
    assert find_experiment(uri, experiment_name(SPACE)) == view.experiment_id
    page = page_url(uri, str(view.experiment_id), "evening")
    assert page.startswith(f"{address}/#/experiments/{view.experiment_id}/")


@pytest.mark.parametrize("given", ["", "me:wrong@", "***@"])
def test_a_server_that_refuses_is_named_with_the_remedy_and_without_the_password(
    address: str, given: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, guarded: tuple[str, Door]
) -> None:
    uri = address.replace("://", f"://{given}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match=r"401.*could not be asked: give .*MLFLOW_TRACKING_USERNAME") as refused:
        find_winner("0" * 32, output=str(tmp_path))
    assert "wrong" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert find_experiment(uri, experiment_name(SPACE)) is None
    assert guarded[1].refused > 0


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://\*\*\*@127\.0\.0\.1:9 \(.*could not be asked") as refused:
        job_of_run("0" * 32, str(tmp_path))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("how", ["environment", "address"])
def test_a_password_that_a_plan_hides_comes_from_the_environment(
    address: str, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = know(how, address, monkeypatch, tmp_path / "home")
    view = MlflowView(uri, experiment_name(SPACE), "evening", None)
    view.apply([{"kind": "start", "run": JOB, "name": JOB, "time": 1, "params": {}, "tags": {}}])
    plan = finished_sweep(tmp_path)
    stored = json.loads(Storage(plan.output).read(layout.PLAN))
    stored["tracking_uri"] = address.replace("://", "://***@")
    Storage(plan.output).write(layout.PLAN, json.dumps(stored).encode())
    if how == "address":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    found = job_of_run(view._runs[JOB], str(tmp_path))
    assert found is not None
    assert f"{found.sweep}/{found.job}" == JOB
    assert find_winner(view._runs[JOB], output=str(tmp_path))[2] == Job("tera", "final", "none", 1001)


def test_an_unchecked_certificate_is_refused_unless_the_user_says_so(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert job_of_run("0" * 32, str(tmp_path)) is None
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "false")
    if address.startswith("https"):
        with pytest.raises(UserError, match="could not be asked"):
            job_of_run("0" * 32, str(tmp_path))


@pytest.mark.parametrize("uri", ["https://me:secret@host/x", "https://***@host/x", "https://host/x"])
def test_a_link_carries_no_user(uri: str) -> None:
    assert without_user(uri) == "https://host/x"
