"""`prepare` from the command line."""

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from sweep.commands.main import run_command
from sweep.commands.prepare import build_parser
from tests.support import REPOSITORY
from tests.support.audio import small_voicebank
from tests.support.audio.recordings import speech_and_noise, write_sound
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.recipes.recipes import RECIPES

SCRIPT = REPOSITORY / "sweep" / "prepare.py"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))


def test_from_any_folder_it_makes_a_corpus_and_says_what(tmp_path: Path) -> None:
    speech_and_noise(tmp_path / "recordings")
    command = [sys.executable, str(SCRIPT), "folder", "recordings", "corpus"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    corpus = Corpus.open(tmp_path / "corpus")
    assert finished.stdout.startswith(f"{corpus.uri}: speech+noise, fingerprint {corpus.fingerprint}\n")
    assert "11/11" in finished.stderr


def test_help_lists_every_recipe_with_its_source_and_the_layouts() -> None:
    shown = build_parser().format_help()
    for name, recipe in RECIPES.items():
        assert f"  {name} " in shown
        assert f"SOURCE: {recipe.source}" in shown
    assert all(word in shown for word in ("speech/<speaker>/", "MANIFEST.csv", "s3://"))


def test_conversions_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = speech_and_noise(tmp_path / "source")
    write_sound(source / "speech/ann/high.wav", rate=48_000)
    assert run_command("prepare", ["folder", str(source), str(tmp_path / "corpus")]) == 0
    assert "note: 1 file resampled from 48000 to 16000 Hz" in capsys.readouterr().err


def test_a_second_run_finds_its_work_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["folder", str(speech_and_noise(tmp_path / "source")), str(tmp_path / "corpus")]
    assert run_command("prepare", arguments) == 0
    first = capsys.readouterr().out
    assert run_command("prepare", arguments) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["valentini", "source", "target"], "unknown recipe 'valentini': choose one of demo, folder"),
        (["folder", "nowhere", "target"], "no folder at"),
        (["folder", "source", "ftp://host/target"], "give a local folder or s3://bucket/prefix"),
        (["folder", "source", "s3://"], "cannot use 's3://': names no bucket; write s3://bucket/prefix"),
        (["folder", "source", "s3:/bucket/x"], "cannot use 's3:/bucket/x': names no bucket"),
        (["folder", "source", ""], "TARGET is empty: give a folder or s3://bucket/prefix"),
        (["folder", "", "target"], "SOURCE is empty"),
        (
            ["folder", "source", "source"],
            "TARGET source is SOURCE source: a corpus needs a folder of its own",
        ),
        (["folder", "source", "source/"], "TARGET source/ is SOURCE"),
        (["folder", "source", "source/corpus"], "TARGET source/corpus lies inside SOURCE"),
        (["folder", "source", "."], "TARGET . contains SOURCE"),
        (["folder", "source", "link"], "TARGET link is SOURCE"),
        (["folder", "x" * 300, "target"], "File name too long"),
        (["folder", "loop", "target"], "SOURCE loop: Too many levels of symbolic links"),
        (["demo", "source", "target"], "give that word in place of 'source'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    speech_and_noise(tmp_path / "source")
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("source")
    Path("loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    assert run_command("prepare", arguments) == 2
    output = capsys.readouterr()
    assert problem in output.err
    assert output.err.count("\n") == 1
    assert not output.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_recording_is_one_line_after_the_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = speech_and_noise(tmp_path / "source")
    write_sound(source / "noise/fan/mute.wav", level=0.0)
    assert run_command("prepare", ["folder", str(source), str(tmp_path / "corpus")]) == 2
    assert "mute.wav: silent" in capsys.readouterr().err.splitlines()[-1]


def test_what_the_audio_itself_says_is_noted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = speech_and_noise(tmp_path / "source") / "noise/fan/fan.wav"
    soundfile.write(path, soundfile.read(path)[0] + 0.3, 16_000)
    assert run_command("prepare", ["folder", str(tmp_path / "source"), str(tmp_path / "corpus")]) == 0
    (note,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert note == f"note: 1 file with a constant offset, which levels and mixtures leave out: {path}"


def test_every_damaged_recording_is_in_one_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = speech_and_noise(tmp_path / "source")
    for name in ("speech/ann/mute.wav", "noise/fan/mute.wav"):
        write_sound(source / name, level=0.0)
    assert run_command("prepare", ["folder", str(source), str(tmp_path / "corpus")]) == 2
    report = capsys.readouterr().err
    assert "error: 2 recordings cannot be used:\n  " in report
    assert all(name in report for name in ("speech/ann/mute.wav: silent", "noise/fan/mute.wav: silent"))
    assert not (tmp_path / "corpus").exists()


@pytest.fixture
def small_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """voicebank-demand, for the size and the figures of a small set."""
    recipe = small_voicebank.recipe({"stoi": "0.91", "si_sdr": "9.99", "segsnr": "0.92"})
    monkeypatch.setitem(RECIPES._built_in, "voicebank-demand", recipe)


@pytest.mark.usefixtures("small_set")
def test_a_known_corpus_is_compared_with_what_is_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = small_voicebank.write(tmp_path / "source")
    arguments = ["voicebank-demand", str(source), str(tmp_path / "corpus")]
    assert run_command("prepare", arguments) == 0
    first = capsys.readouterr()
    assert "noisy input of test, 20 of 20 rows, against published figures (this test):" in first.out
    assert "published 0.91" in first.out
    assert "DIFFERS" not in first.out
    assert "warning" not in first.err
    assert "scoring a sample" in first.err
    assert run_command("prepare", arguments) == 0
    assert capsys.readouterr().out == first.out


@pytest.mark.usefixtures("small_set")
def test_one_that_was_read_wrongly_is_prepared_with_a_warning_that_names_the_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = small_voicebank.write(tmp_path / "source", small_voicebank.FAULTS["noisy side 6 dB down"][0])
    assert run_command("prepare", ["voicebank-demand", str(source), str(tmp_path / "corpus")]) == 0
    said = capsys.readouterr()
    (warning,) = [line for line in said.err.splitlines() if line.startswith("warning: ")]
    assert (
        "differs from the published one in segSNR (dB); likely the level: the speech in the noisy side is 6.0 dB"
        in warning
    )
    assert [line.split()[0] for line in said.out.splitlines() if line.endswith("DIFFERS")] == ["segSNR"]
    assert len(Corpus.open(tmp_path / "corpus").paired("test")) == 20
