"""The follow-up commands can be pasted: they find the sweep wherever it lies, in the form the user called us by."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweep.commands.main import run_command
from sweep.commands.run import build_parser
from sweep.core.next_command import called_as_console_script, command_line, typed, typed_in
from sweep.core.stopping import TooManyFailures
from sweep.engine.scoring import ScoringFailed
from sweep.engine.stage_runner import StageFailed
from sweep.settings.settings import Planned
from sweep.stored import layout
from sweep.stored.heartbeat import beating
from sweep.stored.reading import base_of
from sweep.study.lock import sweep_lock
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.typed_plan import plan
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
    assert command_line("run --resume", output) == f"python sweep/run.py --resume evening{where}"
    with called_as_console_script():
        assert command_line("run --resume", output) == f"speech-sweep run --resume evening{where}"
    assert typed("run") == "python sweep/run.py"


@example(folders=["-x"])
@example(folders=["~"])
@example(folders=["s3:", "bucket"])
@given(folders=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), min_size=1))
def test_any_folder_is_found_again_by_the_command(place: Path, folders: list[str]) -> None:
    base = base_of("/".join([str(place), *folders]))
    words = shlex.split(command_line("run --resume", f"{base}/evening"))
    arguments = build_parser().parse_args(words[2:])
    assert (words[:2], arguments.resume) == (["python", "sweep/run.py"], "evening")
    assert base_of(arguments.output) == base


def test_another_default_leaves_nothing_to_chance(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", "elsewhere")
    assert command_line("status", f"{place}/sweeps/evening") == "python sweep/status.py evening --output sweeps"


def test_a_driver_in_a_folder_of_its_own_writes_for_its_users(place: Path) -> None:
    own = place / "own"
    own.mkdir()
    with typed_in(place):
        os.chdir(own)
        assert command_line("leaderboard", f"{place}/sweeps/evening") == "python sweep/leaderboard.py evening"
    assert command_line("leaderboard", f"{place}/sweeps/evening").endswith(f" --output {place}/sweeps")


def test_a_sweep_under_way_elsewhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept = finished_sweep(place / "elsewhere")
    with beating(Storage(swept.output), dict):
        assert run_command("stop", ["evening", "--output", "elsewhere"]) == 0
    assert "python sweep/status.py evening --output elsewhere shows when" in capsys.readouterr().out
    with (
        sweep_lock(swept),
        pytest.raises(UserError, match=r"status.py evening --output elsewhere shows how far"),
    ):
        sweep_lock(swept).__enter__()


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
    swept = finished_sweep(place / "elsewhere")
    Path(swept.output, gone).unlink()
    Path(swept.home, "study.db").touch()
    assert run_command("leaderboard", ["evening", "--output", "elsewhere", *flags]) == 2
    assert f"python sweep/{next_line}\n" in capsys.readouterr().err


def test_a_start_that_was_stopped(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the driver is replaced: tests/chaos stops real ones, this is about the line that run prints then."""

    def stopped(planned: Planned) -> None:
        Storage(planned.plan.output).write(layout.PLAN, b"{}")
        raise KeyboardInterrupt("Ctrl-C")

    monkeypatch.setattr("sweep.driver.driver.drive", stopped)
    flags = ["--space", "norm_layers", "--name", "evening", "--output", "my results"]
    assert run_command("run", flags) == 130
    *_, why, _, resume, status = capsys.readouterr().err.splitlines()
    assert why == "stopped (Ctrl-C)"
    assert resume == "python sweep/run.py --resume evening --output 'my results'"
    assert status == "python sweep/status.py evening --output 'my results'"
    assert build_parser().parse_args(shlex.split(resume)[2:]).output == "my results"


@pytest.mark.parametrize("kind", [StageFailed, ScoringFailed, TooManyFailures, ZeroDivisionError])
def test_a_sweep_that_fails_ends_with_what_to_type(
    kind: type[Exception], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A defect keeps its traceback, above."""

    def failing(planned: Planned) -> None:
        Storage(planned.plan.output).write(layout.PLAN, b"{}")
        raise kind("no")

    monkeypatch.setattr("sweep.driver.driver.drive", failing)
    assert run_command("run", ["--space", "norm_layers", "--name", "evening"]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[-2:] == ["python sweep/run.py --resume evening", "python sweep/status.py evening"]
    assert ("Traceback" in said) == (kind is ZeroDivisionError)


def test_an_empty_variable_is_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that write and those that read look in the same folder."""
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", "")
    written = plan(place, "--name", "evening", environ=dict(os.environ)).plan
    assert written.output == f"{place}/sweeps/evening"
    assert base_of(None) == f"{place}/sweeps"
