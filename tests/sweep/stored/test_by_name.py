"""A sweep's name and place as typed: found, or one clear line, in every command."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sweep.commands.main import run_command
from tests.support.sweeps.finished_sweep import finished_sweep

Command = Callable[[str], Sequence[str]]
OF_A_SWEEP: dict[str, Command] = {
    "status": lambda name: [name],
    "leaderboard": lambda name: [name],
    "stop": lambda name: [name],
    "replay": lambda name: [name, "tera/final/layer2/seed-1001"],
    "enhance": lambda name: [name, "in.wav", "out.wav"],
    "resume": lambda name: ["--resume", name, "--dry-run"],
}
ARGUMENTS: dict[str, Command] = {**OF_A_SWEEP, "clean": lambda _: []}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a finished sweep and a recording, where the user is."""
    import soundfile

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    finished_sweep(tmp_path / "sweeps")
    soundfile.write(tmp_path / "in.wav", [0.1, -0.1] * 8000, 16000)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], command: str, name: str, *flags: str) -> str:
    script = "run" if command == "resume" else command
    assert run_command(script, [*ARGUMENTS[command](name), *flags]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_bucket_without_credentials_is_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # keeps the credentials it was made with
    said = refusal(capsys, command, "evening", "--output", "s3://foo/bar")
    assert "cannot look into s3://foo/bar" in said
    assert "Unable to locate credentials; check the bucket's name" in said


@pytest.mark.parametrize("command", OF_A_SWEEP)
@pytest.mark.parametrize("name", ["a" * 300, "sweeps/morning", "../sweeps", "..", "", "/"])
def test_what_is_no_name_is_refused_with_what_one_looks_like(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if (command, name) == ("leaderboard", ""):
        assert "which sweep? give its name" in refusal(capsys, command, name)
        return
    said = refusal(capsys, command, name)
    if (command, name) == ("resume", ""):
        assert "--resume '' is empty" in said
        return
    assert "is not a sweep's name" in said
    assert len(said) < 400


@pytest.mark.parametrize("base", ["sweeps", "./sweeps", "../{here}/sweeps", "{whole}/sweeps"])
def test_the_path_of_a_sweeps_own_folder_is_as_good_as_its_name(
    base: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", str(place / "elsewhere"))
    above = base.format(here=place.name, whole=place)
    assert run_command("status", [f"{above}/evening", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == str(place / "sweeps" / "evening")


def test_a_slash_from_completing_the_folders_name_is_no_matter(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("status", ["evening/"]) == 0
    assert "evening  finished" in capsys.readouterr().out
    assert "has no valid scores yet" in refusal(capsys, "enhance", "evening/", "--group", "tera")
