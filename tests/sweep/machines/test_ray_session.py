"""Which Ray a sweep uses: a private one or the cluster at RAY_ADDRESS, never another by accident."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sweep.machines.ray_session as ray_session_module
from sweep.machines.ray_session import _require_answer, cluster_address, ray_session, require_cluster
from tests.support import REPOSITORY
from trainables.base.errors import UserError


def test_an_unreachable_cluster_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # a port in use that does not listen
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with (
            pytest.raises(UserError, match=f"cannot join the Ray cluster at {address}.*ray up"),
            ray_session(),
        ):
            pass


@pytest.mark.parametrize("address", ["", " ", "local"])
def test_no_address_is_a_ray_of_its_own(address: str) -> None:
    assert cluster_address({"RAY_ADDRESS": address}) is None
    assert cluster_address({}) is None
    assert cluster_address({"RAY_ADDRESS": " 10.0.0.1:6379 "}) == "10.0.0.1:6379"


@pytest.mark.parametrize("address", ["localhost", "x:", ":1", "x:y", "x:²", "x:99999999", "ray://h:1", "http://h:1"])
def test_an_address_of_no_form_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match="is not host:port"):
        require_cluster()


def test_auto_is_what_ray_start_started_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(UserError, match="no `ray start` has started a Ray"):
        require_cluster()
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")  # it has died
    with pytest.raises(UserError, match="cannot join the Ray cluster at auto"):
        require_cluster()


def test_what_accepts_connections_and_says_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself would wait for almost three minutes, without a word."""
    monkeypatch.setattr(ray_session_module, "_ANSWER_SECONDS", 0.5)
    with socket.create_server(("", 0)) as silent:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(UserError, match="what listens there has not answered within"):
            require_cluster()
        assert time.monotonic() - started < 20


def test_a_ray_that_runs_answers(ray_cluster: None) -> None:
    import ray

    _require_answer(ray.get_runtime_context().gcs_address)


_SIGNALLED = """
import os, signal, threading, time
from pathlib import Path
from sweep.core.stopping import StopSignal, stop_on_signals
from sweep.machines.ray_session import ray_session

def send():  # while Ray starts its processes
    while not Path(f"/proc/self/task/{os.getpid()}/children").read_text():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)

stop = StopSignal()
with stop_on_signals(stop):
    threading.Thread(target=send).start()
    with ray_session(cpus=1):
        import ray
        print(stop.reason, ray.is_initialized())
    signal.raise_signal(signal.SIGINT)
"""


def test_a_sigterm_while_ray_starts_asks_the_sweep_to_stop_as_at_any_other_time() -> None:
    """Ray's own handler would end the process, with its exit status and without a word."""
    command = [sys.executable, "-c", _SIGNALLED]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.stdout == "SIGTERM True\n", done.stderr
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt: Ctrl-C"  # the second, by the same handler
