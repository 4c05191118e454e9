"""A stage is computed once; its key changes with everything that can change its bits, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.storage.artifacts import StoredArtifacts
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.config import registry
from trainables.config.registry import run_stage
from trainables.job import stages
from trainables.job.stages import Artifacts, Progress, Stage, in_order

calls: list[str] = []


def runner(stage: Stage, corpus: Any, artifacts: Artifacts, progress: Progress) -> bytes:
    """A stage that notes its name and reads what it rests on."""
    calls.append(stage.name)
    progress(1, 1)
    return b"+".join([stage.name.encode(), *(artifacts.read(below.key) for below in stage.rests_on)])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    calls.clear()
    monkeypatch.setitem(registry._OWN_RUNNERS, "noting", f"{__name__}:runner")
    return Stage(
        kind="pretraining",
        name="body",
        runner="noting",
        version=1,
        config={"size": "tiny", "layers": [1, 2]},
        seed=11,
        corpus_uri="somewhere",
        corpus_fingerprint="0123",
    )


CHANGES: dict[str, Any] = {
    "kind": "mismatch",
    "runner": "another",
    "version": 2,
    "config": {"size": "tiny", "layers": [1, 3]},
    "seed": 12,
    "corpus_fingerprint": "4567",
    "threads": 2,
    "dtype": "bfloat16",
    "device": "cuda",
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_the_key_knows_all_that_can_change_the_bits(stage: Stage, name: str) -> None:
    assert replace(stage, **{name: CHANGES[name]}).key != stage.key


def test_the_key_knows_what_the_stage_rests_on(stage: Stage) -> None:
    one, other = replace(stage, seed=1), replace(stage, seed=2)
    assert replace(stage, rests_on=(one,)).key != replace(stage, rests_on=(other,)).key


def test_the_key_knows_the_libraries(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage.key
    monkeypatch.setattr(stages, "library_versions", lambda: {"torch": "0.1"})
    assert stage.key != before


@pytest.mark.parametrize(("name", "value"), [("name", "another"), ("corpus_uri", "elsewhere")])
def test_the_key_knows_neither_names_nor_places(stage: Stage, name: str, value: Any) -> None:
    assert replace(stage, **{name: value}).key == stage.key


def test_the_key_does_not_depend_on_the_order_of_the_configuration(stage: Stage) -> None:
    reordered = dict(reversed(stage.config.items()))
    assert replace(stage, config=reordered).key == stage.key


def test_a_stage_survives_json(stage: Stage) -> None:
    upper = replace(stage, kind="transfer_gap", rests_on=(stage,))
    again = Stage.from_json(json.loads(json.dumps(upper.to_json())))
    assert again == upper
    assert again.key == upper.key


def test_every_stage_comes_once_and_after_what_it_rests_on(stage: Stage) -> None:
    left, right = replace(stage, seed=1, rests_on=(stage,)), replace(stage, seed=2, rests_on=(stage,))
    top = replace(stage, seed=3, rests_on=(left, right))
    assert in_order((top, right)) == [stage, left, right, top]


def test_a_stage_is_computed_once(stage: Stage, tmp_path: Path) -> None:
    artifacts = StoredArtifacts(Storage(tmp_path))
    upper = replace(stage, name="gate", seed=12, rests_on=(stage,))
    for each in in_order((upper, upper)):
        run_stage(each, None, artifacts)
        run_stage(each, None, artifacts)
    assert calls == ["body", "gate"]
    assert artifacts.read(upper.key) == b"gate+body"


def test_a_runner_that_no_method_lists_is_refused_by_name(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'absent'.*MethodInfo\.runners"):
        run_stage(replace(stage, runner="absent"), None, StoredArtifacts(Storage(tmp_path)))


def test_a_damaged_artifact_is_computed_anew(stage: Stage, tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    artifacts = StoredArtifacts(storage)
    run_stage(stage, None, artifacts)
    storage.write(f"stages/{stage.key}", b"half of it")
    run_stage(stage, None, artifacts)
    assert calls == ["body", "body"]
    assert artifacts.read(stage.key) == b"body"
