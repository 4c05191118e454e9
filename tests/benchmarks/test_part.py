"""A part in a process of its own: its answer, its failure, its time limit, its missing peer; and rounds in turn."""

import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.catalogue import BENCH, GPU
from benchmarks.harness.findings import Outcome
from benchmarks.harness.part import Part, in_turn, matching, run_part

ODD = "tests.benchmarks.odd_parts"


def _run(name: str, tmp_path: Path, budget: float = 60.0, **fields: str | tuple[str, ...]) -> Outcome:
    part = Part("z", name, "an odd part", budget, module=ODD, **fields)  # type: ignore[arg-type]
    kept = tmp_path / "results"
    kept.mkdir(exist_ok=True)
    return run_part(part, tmp_path, kept, small=True)


def test_a_part_gives_its_findings_and_leaves_no_scratch(tmp_path: Path) -> None:
    outcome = _run("good", tmp_path)
    assert (outcome.status, outcome.error) == ("done", "")
    assert [finding.what for finding in outcome.findings] == ["a thing", "small"]
    assert outcome.findings[1].cells()[1] == "True"
    assert outcome.machine["cores"] >= 1
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_fails_says_why(tmp_path: Path) -> None:
    outcome = _run("failing", tmp_path)
    assert (outcome.status, outcome.findings) == ("failed", ())
    assert "this part cannot be measured" in outcome.error


def test_what_hangs_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    outcome = _run("hanging", tmp_path, budget=2.0)
    assert outcome.status == "too slow"
    assert (tmp_path / "results" / "started").exists()
    left = [each for each in psutil.Process().children(recursive=True) if each.pid not in before]
    assert [each for each in left if each.status() != psutil.STATUS_ZOMBIE] == []


def test_a_missing_peer_is_named_with_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.harness.peers.python_with", lambda *_: Path(sys.executable))
    outcome = _run("good", tmp_path, extra="bench", modules=("no_such_library",))
    assert outcome.status == "incomplete"
    assert len(outcome.missing) == 1
    assert "no_such_library" in outcome.missing[0]
    assert "pip install" in outcome.missing[0]
    assert outcome.findings[0].cells()[3] == "-"


def test_rounds_are_taken_in_turn_after_a_warm_up() -> None:
    calls: list[str] = []
    ours, none, theirs = in_turn(2, lambda: calls.append("ours"), None, lambda: calls.append("theirs"))
    assert calls == ["ours", "theirs"] * 3
    assert (len(ours), none, len(theirs)) == (2, (), 2)


def test_parts_are_chosen_by_letter_or_name() -> None:
    assert [part.name for part in matching(BENCH, "g, data")] == ["data", "separators", "soft_dtw"]
    assert list(matching(BENCH, "")) == list(BENCH)
    with pytest.raises(ValueError, match="'zz'"):
        list(matching(BENCH, "a,zz"))


def test_all_parts_fit_into_their_time() -> None:
    assert {part.letter for part in BENCH} == set("abcdefgh")
    assert sum(part.budget for part in BENCH) <= 40 * 60
    assert sum(part.budget for part in GPU) <= 8 * 60
    assert len({part.key for part in (*BENCH, *GPU)}) == len((*BENCH, *GPU))
