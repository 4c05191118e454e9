"""Every command as a script and as `speech-sweep COMMAND`: help that is light, errors of one line, exit statuses."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sweep import __version__
from sweep.commands.main import COMMANDS, guarded, main
from tests.support import REPOSITORY
from tests.support.sweeps.finished_sweep import finished_sweep
from trainables.base.errors import UserError

HEAVY = {
    "torch",
    "ray",
    "mlflow",
    "optuna",
    "transformers",
    "pandas",
    "scipy",
    "pyarrow",
    "boto3",
    "matplotlib",
}
# Arguments with which each command reads a sweep, a corpus or a recording.
AT_WORK = {
    "run": ["--space", "norm_layers", "--dry-run"],
    "prepare": ["demo", "builtin", "target"],
    "status": ["evening"],
    "leaderboard": ["evening"],
    "judge": ["evening"],
    "stop": ["evening"],
    "enhance": ["evening", "in.wav", "out.wav"],
    "replay": ["evening", "tera/final/layer2/seed-1001"],
    "clean": [],
}


def script(command: str) -> str:
    return str(REPOSITORY / "sweep" / f"{command}.py")


def python(folder: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """With `path` on the module path, else without the repository: a script has to find it."""
    unset = ("SPEECH_SWEEP_OUTPUT", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": path} if path else environment,
        capture_output=True,
        text=True,
    )


def speech_sweep(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "sweep.commands.main", *arguments, path=str(REPOSITORY))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_scripts_help_has_examples_and_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    """From any folder, with a module of a tempting name in it."""
    (tmp_path / "queue.py").write_text("raise RuntimeError('imported from the user folder')")
    done = python(tmp_path, "-X", "importtime", script(command), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {command}.py")
    assert f"python sweep/{command}.py" in done.stdout.split("\nexamples\n")[1]
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_the_console_scripts_help_names_the_console_script(command: str, tmp_path: Path) -> None:
    done = speech_sweep(tmp_path, command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: speech-sweep {command}")
    assert f"  speech-sweep {command}" in done.stdout
    assert "python sweep/" not in done.stdout


def test_it_lists_its_commands_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    lines = listed.splitlines()
    for command, summary in COMMANDS.items():
        assert [line.split() for line in lines if line.startswith(f"  {command} ")] == [[command, *summary.split()]]
    assert main([]) == 0
    assert capsys.readouterr().out == listed
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"speech-sweep {__version__}\n"


def test_an_unknown_command_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = speech_sweep(tmp_path, "leaderbord", "evening")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in ("'leaderbord'", *COMMANDS))


def test_an_install_provides_it() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert EntryPoint("speech-sweep", project["scripts"]["speech-sweep"], "console_scripts").load() is main


def test_the_next_command_is_written_as_this_one_was_typed(tmp_path: Path) -> None:
    finished_sweep(tmp_path / "sweeps")
    typed = python(tmp_path, script("status"), "evening", "--json")
    assert json.loads(typed.stdout)["next"][0] == "python sweep/leaderboard.py evening"
    typed = speech_sweep(tmp_path, "status", "evening", "--json")
    assert json.loads(typed.stdout)["next"][0] == "speech-sweep leaderboard evening"


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_install_it_says_how_to_install(command: str, tmp_path: Path) -> None:
    """A Python without site-packages has none of our dependencies."""
    (tmp_path / "in.wav").touch()
    done = python(tmp_path, "-I", "-S", script(command), *AT_WORK[command])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: speech-sweep is not installed for {sys.executable} (No module named ")
    assert done.stderr.count("\n") == 1


def test_a_lone_copy_without_the_install_says_so_too(tmp_path: Path) -> None:
    shutil.copy(script("run"), tmp_path / "run.py")
    done = python(tmp_path, "-I", "-S", "run.py", "--help")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: speech-sweep is not installed for {sys.executable} (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("no such folder"), 2, "error: no such folder\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("run it again"), 130, "interrupted: run it again\n"),
    ],
)
def test_an_expected_error_is_one_line(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise error

    assert guarded(command) == status
    assert capsys.readouterr().err == line


def test_a_missing_module_of_ours_is_a_defect_and_keeps_its_traceback() -> None:
    def command() -> int:
        raise ModuleNotFoundError("No module named 'sweep.gone'", name="sweep.gone")

    with pytest.raises(ModuleNotFoundError):
        guarded(command)
