"""Whole sweeps as benchmarks run them, ours and the stock script's, small: minutes each, by real Ray."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.catalogue import BENCH, GPU
from benchmarks.harness.findings import Comparison, Outcome
from benchmarks.harness.part import Part, run_part

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
_PARTS = {part.name: part for part in (*BENCH, *GPU)}


def _measured(name: str, tmp_path: Path) -> Outcome:
    part: Part = replace(_PARTS[name], budget=600)
    (tmp_path / "results").mkdir()
    outcome = run_part(part, tmp_path, tmp_path / "results", small=True)
    assert outcome.status == "done", json.dumps(outcome.to_json(), indent=1)
    return outcome


def _cells(outcome: Outcome) -> dict[str, list[str]]:
    return {finding.what: finding.cells() for finding in outcome.findings}


def test_ours_and_the_stock_script_answer_the_same_question(tmp_path: Path) -> None:
    cells = _cells(_measured("demo_question", tmp_path))
    assert cells["trials lost"][1] == "0"
    assert cells["MLflow runs left open"][1] == "0"
    assert cells["leaders"][1].startswith("tera ")
    assert cells["leaders"][2].startswith("tera ")


def test_ours_comes_back_after_a_kill_with_the_same_answer(tmp_path: Path) -> None:
    cells = _cells(_measured("interruption", tmp_path))
    assert cells["trials lost"][1] == "0"
    assert cells["MLflow runs left open"][1] == "0"
    assert cells["the answer of the undisturbed sweep"][1] == "the same, to the bit"


def test_one_candidate_more_gives_the_answer_of_a_fresh_sweep(tmp_path: Path) -> None:
    outcome = _measured("extension", tmp_path)
    (equal,) = (finding for finding in outcome.findings if finding.what.startswith("groups of the answer"))
    assert equal.cells()[1] == "equal to the bit"
    ratios = [finding.ratios[0] for finding in outcome.findings if isinstance(finding, Comparison)]
    assert min(ratios) > 1


@pytest.mark.parametrize("name", ["growth_nodes", "smoke_waveform", "resume"])
def test_the_other_parts_with_ray_end_well(name: str, tmp_path: Path) -> None:
    assert _measured(name, tmp_path).findings
