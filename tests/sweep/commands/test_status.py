"""What `sweep/status.py` says, and the commands it suggests."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sweep.commands.main import run_command
from tests.support.sweeps.finished_sweep import finished_sweep, given_more
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.storage.storage import Storage


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)


def planned(tmp_path: Path, beat: dict[str, Any] | None = None, name: str = "evening") -> None:
    storage = Storage(tmp_path / "sweeps" / name)
    storage.write("plan.json", json.dumps(make_plan(tmp_path / "sweeps" / name, name=name).to_json()).encode())
    if beat:
        storage.write("heartbeat.json", json.dumps(beat).encode())


def beat(**changes: Any) -> dict[str, Any]:
    jobs = {"total": 25, "running": 1, "complete": 3, "pruned": 1, "failed": 0}
    leader = {"candidate": "layer2", "score": 1.913, "phase": "search"}
    return {
        "state": "running",
        "pid": os.getpid(),
        "host": "another-machine",
        "time": 0.0,
        "phase": "searching",
        "elapsed": 125.0,
        "left": 600.0,
        "stages": {"gate of tera": 40},
        "jobs": jobs | {"total": 50},
        "groups": {"tera": {"jobs": jobs, "leader": leader}, "wav2vec2": {"jobs": jobs, "leader": None}},
        "metric": "si_sdr",
    } | changes


def test_a_dead_sweep_says_how_far_it_came_and_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(tmp_path, beat())
    assert run_command("status", ["evening"]) == 0
    out = capsys.readouterr().out
    assert "evening  its driver is dead (process" in out
    assert "jobs       4 of 50 jobs done, 1 running, 1 stopped early" in out
    assert "  tera     4 of 25 jobs done" in out
    assert "ahead      tera layer2 1.91 dB (search)" in out
    assert "stage      gate of tera 40 %" in out
    assert "\npython sweep/run.py --resume evening\n" in out
    assert "leaderboard.py" not in out


def test_a_finished_sweep_points_to_its_leaderboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished_sweep(tmp_path / "elsewhere")
    assert run_command("status", ["evening", "--output", "elsewhere", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["state"], status["answered"]) == ("finished", True)
    assert status["next"][0] == "python sweep/leaderboard.py evening --output elsewhere"
    assert not any("--resume" in line for line in status["next"])


@pytest.mark.parametrize("state", ["finished", "interrupted"])
def test_a_finished_sweep_that_was_given_more_is_to_be_resumed(
    state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = finished_sweep(tmp_path / "sweeps")
    given_more(plan)
    Storage(plan.output).write("heartbeat.json", json.dumps(beat(state=state)).encode())
    assert run_command("status", ["evening"]) == 0
    out = capsys.readouterr().out
    assert "\npython sweep/run.py --resume evening\n" in out
    assert "leaderboard.py" not in out
    assert ("finished, but without an answer to its whole plan" in out) == (state == "finished")
    assert run_command("status", ["evening", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answered"] is False


def test_a_planned_sweep_that_never_started_can_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(tmp_path)
    assert run_command("status", ["evening"]) == 0
    out = capsys.readouterr().out
    assert "its driver has not reported yet" in out
    assert "--resume evening" in out


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned(tmp_path, name="monday")
    planned(tmp_path, name="tuesday")
    assert run_command("status", ["sunday"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert all(word in captured.err for word in ("'sunday'", "monday", "tuesday"))
