"""`run.py --notify`: a real server receives how a sweep ended, and cannot harm the sweep."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from sweep.commands.main import run_command
from sweep.core.stopping import Interrupted, TooManyFailures
from sweep.plan.plan import Plan
from sweep.progress.notification import Notifier, check_address, notifying
from sweep.settings.machine_price import MachinePrice
from sweep.settings.settings import Planned
from sweep.verdict.result import Result
from tests.support.sweeps.small_sweep import make_plan, make_result
from trainables.base.errors import UserError

PASSWORD = "s3cret"


class Listener(HTTPServer):
    """Records requests; answers with `status`, or if that is None only when the test is over."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[dict[str, Any]] = []
        self.status: int | None = 200
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/token"


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/json"
        self.server.heard.append(json.loads(content))
        if self.server.status is None:
            self.server.over.wait()
            return
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *what: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield listener
    listener.over.set()
    listener.shutdown()
    listener.server_close()


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    uri = f"postgresql://me:{PASSWORD}@db.example/study"
    return make_plan(tmp_path / "evening", study_uri=uri)


def result_of(plan: Plan) -> Result:
    return cast(Result, make_result(plan))


def test_a_finished_sweep_posts_its_leaders(server: Listener, plan: Plan) -> None:
    with notifying(server.url, plan) as notifier:
        notifier.finished(result_of(plan))
    (message,) = server.heard
    assert (message["event"], message["sweep"], message["space"]) == ("finished", "evening", "norm_layers")
    assert message["text"] == "sweep evening finished: tera: layer2 (winner), wav2vec2: layer2 (tie)"
    assert message["groups"]["tera"] == {
        "leader": "layer2",
        "verdict": "winner",
        "score": 1.9,
        "interval": [1.7, 2.1],
    }


@pytest.mark.parametrize(
    ("error", "event", "reason"),
    [
        (
            TooManyFailures("5 of 8 jobs failed in the same way"),
            "failed",
            "5 of 8 jobs failed in the same way",
        ),
        (RuntimeError("a stage broke"), "failed", "RuntimeError: a stage broke"),
        (Interrupted("--max-hours are used up"), "stopped", "--max-hours are used up"),
    ],
)
def test_an_error_that_ends_a_sweep_is_posted_and_raised(
    server: Listener, plan: Plan, error: BaseException, event: str, reason: str
) -> None:
    with pytest.raises(type(error)), notifying(server.url, plan):
        raise error
    (message,) = server.heard
    assert message["event"] == event
    assert reason in message["reason"]


def test_bad_input_is_not_posted(server: Listener, plan: Plan) -> None:
    with pytest.raises(UserError), notifying(server.url, plan):
        raise UserError("no such corpus")
    assert server.heard == []


def test_no_password_is_posted(server: Listener, plan: Plan) -> None:
    with pytest.raises(RuntimeError), notifying(server.url, plan):
        raise RuntimeError(f"cannot connect to {plan.study_uri}, password {PASSWORD}")
    assert PASSWORD not in json.dumps(server.heard)


@pytest.mark.parametrize("status", [404, 500])
def test_a_refusal_is_one_line_without_the_address(
    server: Listener, plan: Plan, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = status
    Notifier(server.url, plan).finished(result_of(plan))
    error = capsys.readouterr().err
    assert all(part in error for part in ("127.0.0.1", "evening", str(status)))
    assert "token" not in error
    assert error.count("\n") == 1


def test_a_server_that_is_not_there_costs_nothing_but_a_line(
    server: Listener, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    Notifier("http://127.0.0.1:9/hook", plan).stopped("stop.py")
    assert "127.0.0.1" in capsys.readouterr().err


def test_a_server_that_never_answers_is_not_waited_for(
    server: Listener, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = None
    Notifier(server.url, plan, seconds=0.2).stopped("stop.py")
    assert "no answer in time" in capsys.readouterr().err


def test_without_an_address_nothing_is_posted(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    with notifying(None, plan) as notifier:
        notifier.finished(result_of(plan))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("url", ["hooks.example/x", "ftp://host/x", "http://", "file:///etc"])
def test_what_is_no_web_address_is_refused_before_anything_starts(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="--notify"):
        check_address(url)
    assert run_command("run", ["--space", "norm_layers", "--notify", url]) == 2
    assert "--notify: give a web address" in capsys.readouterr().err


def test_the_address_is_in_no_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Listener) -> None:
    """A dry run with an address plans what one without it plans; nothing is written or posted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECH_SWEEP_NOTIFY", server.url)
    planned: list[Planned] = []

    def describe(what: Planned, price: MachinePrice | None, *more: object) -> str:
        planned.append(what)
        return ""

    monkeypatch.setattr("sweep.settings.dry_run.describe", describe)
    assert run_command("run", ["--space", "norm_layers", "--preset", "smoke", "--dry-run"]) == 0
    assert "token" not in json.dumps(planned[0].plan.to_json())
    assert server.heard == []
