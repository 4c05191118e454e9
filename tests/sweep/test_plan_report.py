"""What a dry run and a start say about a corpus besides its size: what was converted, and what was left out."""

from pathlib import Path

import pytest

from sweep.cli import run_main
from tests.trainables.audio.recordings import speech_and_noise, write_manifest, write_sound

ROWS = [
    *(
        (f"speech/{name}/{name}-0.wav", name, split)
        for name, split in zip(("ann", "bea", "cleo"), ("train", "valid", "test"), strict=True)
    ),
    *(
        (f"noise/{name}/{name}.wav", name, split)
        for name, split in zip(("fan", "hiss", "hum"), ("train", "valid", "test"), strict=True)
    ),
]
LEFT_OUT = "5 audio files that MANIFEST.csv does not list were left out"
RESAMPLED = "1 file resampled from 48000 to 16000 Hz"


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    source = speech_and_noise(tmp_path / "recordings")
    write_sound(source / "speech/ann/ann-0.wav", rate=48_000)
    write_manifest(source, ROWS)
    return source


def command(corpus: Path) -> list[str]:
    return ["--space", "norm_layers", "--preset", "smoke", "--corpus", str(corpus)]


def test_a_dry_run_says_what_was_left_out_and_converted(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main([*command(recordings), "--dry-run"]) == 0
    report = capsys.readouterr().out
    assert LEFT_OUT in report
    assert RESAMPLED in report


def test_a_start_says_it_too_and_leaves_the_result_alone(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sweep.driver.drive", lambda planned: {"groups": []})
    monkeypatch.setattr("sweep.notification.Notifier.finished", lambda self, result: None)
    assert run_main([*command(recordings), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"note: {RESAMPLED}", f"note: {LEFT_OUT}"]
    assert said.out == '{"groups": []}\n'
