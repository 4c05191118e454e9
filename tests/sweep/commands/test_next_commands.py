"""What a user is told to type next can be pasted: it finds the sweep wherever it lies."""

import os
import shlex
from pathlib import Path

import pytest

from sweep.commands import leaderboard as leaderboard_command
from sweep.commands import status as status_command
from sweep.commands import stop as stop_command
from sweep.commands.run import build_run_parser, run_main
from sweep.core.next_command import command_line, typed_in
from sweep.settings.planning import Planned, plan_from_arguments
from sweep.stored import layout
from sweep.stored.heartbeat import Heartbeat
from sweep.stored.reading import base_of
from sweep.study.lock import sweep_lock
from tests.support.sweeps.finished_sweep import finished_sweep
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("base", "where"),
    [
        ("{here}/sweeps", ""),
        ("{here}/my results", " --output 'my results'"),
        ("/data/sweeps", " --output /data/sweeps"),
        ("s3://lab/sweeps", " --output s3://lab/sweeps"),
        ("/", " --output /"),
    ],
)
def test_output_is_named_where_it_is_needed(place: Path, base: str, where: str) -> None:
    output = f"{base.format(here=place).rstrip('/')}/evening"
    line = command_line("run.py --resume", output)
    assert line == f"python sweep/run.py --resume evening{where}"


def test_another_default_leaves_nothing_to_chance(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", "elsewhere")
    assert (
        command_line("status.py", f"{place}/sweeps/evening")
        == "python sweep/status.py evening --output sweeps"
    )


def test_a_driver_in_a_folder_of_its_own_writes_for_its_users(place: Path) -> None:
    own = place / "own"
    own.mkdir()
    with typed_in(place):
        os.chdir(own)
        assert (
            command_line("leaderboard.py", f"{place}/sweeps/evening") == "python sweep/leaderboard.py evening"
        )
    assert command_line("leaderboard.py", f"{place}/sweeps/evening").endswith(f" --output {place}/sweeps")


def test_a_sweep_under_way_elsewhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = finished_sweep(place / "elsewhere")
    with Heartbeat(Storage(plan.output), dict):
        assert stop_command.main(["evening", "--output", "elsewhere"]) == 0
    assert "python sweep/status.py evening --output elsewhere shows when" in capsys.readouterr().out
    with (
        sweep_lock(plan),
        pytest.raises(UserError, match=r"status.py evening --output elsewhere shows how far"),
    ):
        sweep_lock(plan).__enter__()


@pytest.mark.parametrize(
    ("gone", "flags", "next_line"),
    [
        ("result.json", [], "status.py evening --output elsewhere"),
        ("results/rows-test.parquet", ["--by", "snr"], "status.py evening --output elsewhere"),
        ("heartbeat.json", ["--watch"], "run.py --resume evening --output elsewhere"),
    ],
)
def test_a_leaderboard_that_is_not_there_yet(
    place: Path, gone: str, flags: list[str], next_line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = finished_sweep(place / "elsewhere")
    Path(plan.output, gone).unlink()
    Path(plan.home, "study.db").touch()
    assert leaderboard_command.main(["evening", "--output", "elsewhere", *flags]) == 2
    assert f"python sweep/{next_line}\n" in capsys.readouterr().err


def test_a_start_that_was_stopped(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(planned: Planned) -> None:
        Storage(planned.plan.output).write(layout.PLAN, b"{}")
        raise KeyboardInterrupt("Ctrl-C")

    monkeypatch.setattr("sweep.driver.driver.drive", stopped)
    flags = ["--space", "norm_layers", "--name", "evening", "--output", "my results"]
    assert run_main(flags) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "stopped (Ctrl-C); go on with: python sweep/run.py --resume evening --output 'my results'"
    typed = shlex.split(said.split("run.py ")[1])
    assert build_run_parser().parse_args(typed).output == "my results"


def test_an_empty_variable_is_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes and whoever reads look in the same folder."""
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", "")
    arguments = build_run_parser().parse_args(["--space", "norm_layers", "--name", "evening"])
    assert plan_from_arguments(arguments, os.environ, place).plan.output == f"{place}/sweeps/evening"
    assert base_of(None) == f"{place}/sweeps"
    assert status_command.build_parser().parse_args(["evening"]).output == "sweeps"
