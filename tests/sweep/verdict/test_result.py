"""The typed result says what is in a result, and what is not required may be absent."""

import json
from pathlib import Path
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from sweep.commands.main import run_command
from sweep.report.output_formats import FORMATS
from sweep.verdict.gates import interpretable
from sweep.verdict.result import CandidateResult, Gates, GroupResult, Result, by_score, candidate_verdict
from sweep.verdict.verdict import decide, holm
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.result_rows import SEEDS, candidates, result_rows, scores
from trainables.base.storage.storage import Storage

GATES = interpretable(
    {"pretrained": [[2.0, 2.1], [2.1, 2.0]], "random": [[1.0, 1.1], [1.1, 1.0]]},
    [{"site": 1, "value": 0.4, "interval": [0.3, 0.5]}],
    [{"layer": 1, "value": 0.2, "interval": [0.1, 0.3]}],
)


@pytest.fixture
def group() -> GroupResult:
    found = decide(
        group={"upstream": "tera"},
        rows=result_rows(scores((1.0, 1.2, 2.0, 1.5, 0.4))),
        metric="si_sdr",
        candidates=candidates(),
        leader="layer2",
        seeds=SEEDS,
        gates=GATES,
    )
    return holm([found])[0]


def untyped(value: Any, kind: Any, place: str) -> list[str]:
    """Keys of `value` that the TypedDict `kind` does not have, and those it has that `value` lacks."""
    if get_origin(kind) is NotRequired:
        return untyped(value, get_args(kind)[0], place)
    inner = [each for each in (kind, *get_args(kind)) if is_typeddict(each)]
    if not inner or value is None:
        return []
    if isinstance(value, list):
        return [fault for each in value for fault in untyped(each, inner[0], f"{place}[]")]
    hints = get_type_hints(inner[0])
    faults = [f"{place}.{key}" for key in set(value) ^ set(hints)]
    return faults + [f for key in set(value) & set(hints) for f in untyped(value[key], hints[key], f"{place}.{key}")]


def test_every_key_of_a_groups_result_is_typed_and_there(group: GroupResult) -> None:
    leader = {"group.leader.norm_layers", "group.winner.norm_layers"}  # its configuration, as further keys
    assert set(untyped(group, GroupResult, "group")) == leader


def test_the_best_come_first_and_those_without_a_score_last() -> None:
    rows: list[dict[str, float | None]] = [{"score": None}, {"score": -1.0}, {"score": 2.0}, {"score": 0.0}]
    assert [row["score"] for row in by_score(rows)] == [2.0, 0.0, -1.0, None]


def test_a_candidates_standing(group: GroupResult) -> None:
    tie: GroupResult = {**group, "verdict": "tie", "contenders": ["layer3"]}
    assert [candidate_verdict(group, label) for label in ("layer2", "layer3")] == ["winner", "behind"]
    assert [candidate_verdict(tie, label) for label in ("layer2", "layer3")] == ["leader", "contender"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_result_of_an_earlier_version_is_still_shown(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Storage(finished_sweep(tmp_path).output)
    result = json.loads(storage.read("result.json"))
    typed: list[tuple[dict[str, Any], Any]] = [
        (result, Result),
        *((group["gates"], Gates) for group in result["groups"]),
        *((row, CandidateResult) for group in result["groups"] for row in group["candidates"]),
    ]
    for kept, kind in typed:
        for key in kind.__optional_keys__:
            kept.pop(key, None)
    storage.write("result.json", json.dumps(result).encode())
    assert run_command("leaderboard", ["evening", "--output", str(tmp_path), "--format", form]) == 0
    assert "layer2" in capsys.readouterr().out
