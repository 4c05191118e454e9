"""The command: a failure loses no other part and shows in the exit status; a second start measures what is missing."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.harness.part import Part
from tests.benchmarks.test_part import ODD
from tests.support import REPOSITORY


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tuple(Part("z", name, name, 60, module=ODD) for name in ("failing", "good"))
    monkeypatch.setattr(command, "BENCH", odd)


def _results(folder: Path) -> dict[str, str]:
    plain = json.loads((folder / "results" / "results.json").read_text())
    return {part["part"]: part["status"] for part in plain["parts"]}


@pytest.mark.usefixtures("parts")
def test_a_failed_part_loses_no_other_and_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--small", "--folder", str(tmp_path)]
    assert command.main(asked) == 1
    assert _results(tmp_path) == {"z-failing": "failed", "z-good": "done"}
    assert "| a thing (s) | 1 | 3 (another) | 3.00x (2.00 to 4.00) | 2 |" in capsys.readouterr().out
    kept = (tmp_path / "results" / "z-good.json").stat().st_mtime_ns
    failed = (tmp_path / "results" / "z-failing.json").stat().st_mtime_ns
    assert command.main(asked) == 1
    assert (tmp_path / "results" / "z-good.json").stat().st_mtime_ns == kept
    assert (tmp_path / "results" / "z-failing.json").stat().st_mtime_ns > failed
    assert command.main([*asked, "--only", "good"]) == 0
    monkeypatch.setattr("benchmarks.harness.machine.code_fingerprint", lambda: "other sources")
    assert command.main([*asked, "--only", "good"]) == 0
    assert (tmp_path / "results" / "z-good.json").stat().st_mtime_ns > kept


@pytest.mark.parametrize("only", ["zz", ",", "a,", " "])
def test_an_unknown_part_is_refused_and_nothing_is_written(tmp_path: Path, only: str) -> None:
    """An unset variable between commas starts no forty minutes of everything, either."""
    assert command.main(["--only", only, "--folder", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("parts")
def test_a_folder_that_cannot_be_made_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert command.main(["--folder", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_cuda_every_part_of_the_gpu_suite_is_skipped_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "cuda_devices", lambda: 0)
    assert command.main(["--gpu", "--folder", str(tmp_path / "new")]) == 0
    skipped = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped: ")]
    assert [line.split()[1] for line in skipped] == [part.key for part in command.GPU]
    assert not (tmp_path / "new").exists()


def test_results_go_between_the_marks_of_the_page() -> None:
    page = "a\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nb\n"
    assert command.with_results(page, "bench", "new") == "a\n<!-- bench: begin -->\n\nnew\n<!-- bench: end -->\nb\n"
    with pytest.raises(ValueError, match="gpu: begin"):
        command.with_results(page, "gpu", "new")


@pytest.mark.parametrize("name", ["bench", "gpu"])
def test_the_documentation_has_a_place_for_the_results(name: str) -> None:
    page = (REPOSITORY / "docs" / "benchmarks.md").read_text()
    assert "new results" in command.with_results(page, name, "new results")
