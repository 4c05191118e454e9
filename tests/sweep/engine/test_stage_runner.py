"""Stages as Ray tasks: in order of what they rest on, once, with their progress, and failures by name."""

from pathlib import Path
from typing import Any

import pytest

from sweep.core.listener import Event, StageProgressed
from sweep.engine import failures
from sweep.engine.stage_runner import StageFailed, run_stages
from sweep.storage.artifacts import StoredArtifacts
from tests.support.hunting import hunting
from tests.support.packages import ToyText
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.job.stages import Artifacts, Stage


def _stage(name: str, *rests_on: Stage, **config: Any) -> Stage:
    return Stage(
        kind="pretraining",
        name=name,
        runner="toy_double",
        version=1,
        config={"name": name, **config},
        seed=0,
        corpus_uri="",
        corpus_fingerprint="",
        rests_on=rests_on,
    )


class _Log:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return StoredArtifacts(Storage(str(tmp_path)))


@pytest.fixture
def text(toy_folder: Path) -> ToyText:
    """What the stages are computed from; it brings the toy's stage runner to the workers."""
    return ToyText(toy_folder, "ab")


def test_stages_are_computed_after_what_they_rest_on(ray_cluster: None, text: ToyText, artifacts: Artifacts) -> None:
    base = _stage("base")
    left, right = _stage("left", base), _stage("right", base)
    top = _stage("top", left, right)
    run_stages([top], text, artifacts)
    assert artifacts.read(base.key) == b"ab"
    assert artifacts.read(top.key) == b"ab" * 8


def test_what_is_stored_is_not_computed_again_but_announced(
    ray_cluster: None, text: ToyText, artifacts: Artifacts
) -> None:
    base = _stage("base")
    artifacts.write(base.key, b"stored before")
    log = _Log()
    run_stages([base], text, artifacts, [log])
    assert artifacts.read(base.key) == b"stored before"
    assert log.events == [StageProgressed("base", 1, 1)]


def test_listeners_hear_when_each_stage_is_stored(ray_cluster: None, text: ToyText, artifacts: Artifacts) -> None:
    base = _stage("base")
    log = _Log()
    run_stages([_stage("top", base)], text, artifacts, [log])
    heard = [event for event in log.events if isinstance(event, StageProgressed)]
    assert len(heard) == len(log.events)
    stored = [event.name for event in heard if event.done == event.total]
    assert stored == ["base", "top"]


def test_a_defect_in_a_stage_is_reported_with_the_stages_name(
    ray_cluster: None, text: ToyText, artifacts: Artifacts
) -> None:
    broken = _stage("tera pre-training, seed 11", **{"break": True})
    with pytest.raises(StageFailed, match=r"tera pre-training, seed 11 failed: ZeroDivisionError: division"):
        run_stages([_stage("base"), broken, _stage("top", broken)], text, artifacts)


def test_a_stage_that_ends_its_worker_every_time_fails_with_the_reason(
    ray_cluster: None, text: ToyText, artifacts: Artifacts
) -> None:
    with pytest.raises(StageFailed, match="base failed: its worker crashed with SIGABRT"):
        run_stages([_stage("base", crash=True)], text, artifacts)


def test_a_stage_whose_workers_are_killed_from_outside_is_computed(
    ray_cluster: None, text: ToyText, artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_FIRST_PAUSE", 0.1)
    base = _stage("base", prey=str(tmp_path / "prey"))
    with hunting(tmp_path / "prey", kills=4):
        run_stages([base], text, artifacts)
    assert artifacts.read(base.key) == b"ab"


def test_an_error_that_the_user_can_mend_stays_one(ray_cluster: None, text: ToyText, artifacts: Artifacts) -> None:
    with pytest.raises(UserError, match="mismatch gate: the corpus is empty: prepare one"):
        run_stages([_stage("mismatch gate", refuse=True)], text, artifacts)
