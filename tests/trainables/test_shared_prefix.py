"""Jobs that agree up to a switch train that far once, and end with the bits of training alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from tests.support.methods.assignments import small_assignment
from trainables.audio.corpus.corpus import Corpus
from trainables.base.determinism import deterministic
from trainables.base.storage.storage import Storage
from trainables.config.registry import run_stage
from trainables.job.assignment import Assignment, DataSettings
from trainables.job.stages import Stage
from trainables.session import TrainingSession
from trainables.shared_prefix import prefix_stage, read_prefix
from trainables.trainable import SpeechTrainable

DATA = DataSettings(batch=2, crop_seconds=0.256, valid_seconds=2.0, test_seconds=2.0)
ROUND = {"target": "byol", "schedule": "round", "round_period": 0.5, "tau_ramp": "cosine"}
FULL = {"target": "byol", "schedule": "full", "tau_ramp": "cosine"}
PRETRAIN = {"target": "byol", "schedule": "pretrain", "pretrain_share": 0.75, "tau_ramp": "cosine"}
ANNEAL = {"target": "byol", "schedule": "anneal", "tau_ramp": "cosine"}
NORMAL = {"target": "none"}
Siblings = Sequence[dict[str, Any]]
ALL = (ROUND, FULL, PRETRAIN, ANNEAL, NORMAL)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> StoredArtifacts:
    return StoredArtifacts(Storage(tmp_path_factory.mktemp("stages")))


@pytest.fixture(scope="module")
def assignment(corpus: Corpus) -> Assignment:
    return small_assignment(corpus, method="contrastive_se", config=ROUND, data=DATA)


def prefix_of(assignment: Assignment, config: dict[str, Any], siblings: Siblings = ALL) -> Stage | None:
    return prefix_stage(replace(assignment, config=config), siblings)


def shared_stage(assignment: Assignment, siblings: Siblings = ALL) -> Stage:
    stage = prefix_stage(assignment, siblings)
    assert stage is not None
    return stage


def finished(session: TrainingSession) -> TrainingSession:
    with deterministic(threads=1):
        while not session.finished:
            session.run_round()
    return session


def outcome(session: TrainingSession) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    timeless = [
        {name: value for name, value in report.items() if not name.startswith("seconds_")} for report in session.reports
    ]
    return timeless, {name: session.state()[name] for name in ("model.pt", "optimizer.pt")}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("config", [ROUND, FULL, PRETRAIN], ids=["round", "full", "pretrain"])
def test_going_on_from_it_equals_training_from_scratch_to_the_bit(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts, config: dict[str, Any], optimizer: str
) -> None:
    siblings = [{**sibling, "optimizer": optimizer} for sibling in ALL]
    job = replace(assignment, config={**config, "optimizer": optimizer})
    stage = shared_stage(job, siblings)
    run_stage(stage, corpus, artifacts)
    job = replace(job, prefix=stage.to_json())
    shared, alone = TrainingSession(job, corpus, artifacts), TrainingSession(job, corpus, artifacts)
    prefix = read_prefix(job, artifacts)
    assert prefix is not None
    shared.load_state(prefix)
    assert shared.step == 4
    assert outcome(finished(shared)) == outcome(finished(alone))


def trained_by_tune(assignment: Assignment, storage: Storage) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The results Tune sees, and the weights the job ends with."""
    trainable = object.__new__(SpeechTrainable)
    config = {"assignment": assignment.to_json()}
    trainable.setup(config, checkpoints=StoredCheckpoints(storage), artifacts=StoredArtifacts(storage))
    results = [trainable.step()]
    while not results[-1]["done"]:
        results.append(trainable.step())
    newest = StoredCheckpoints(storage).newest(assignment.job)
    assert newest is not None
    _, files = newest
    timeless = [{k: v for k, v in result.items() if not k.startswith("seconds_")} for result in results]
    return timeless, {"model.pt": files["model.pt"]}


def test_tune_hears_the_same_results_round_by_round(assignment: Assignment, corpus: Corpus, tmp_path: Path) -> None:
    shared, alone = Storage(tmp_path / "shared"), Storage(tmp_path / "alone")
    stage = shared_stage(assignment)
    run_stage(stage, corpus, StoredArtifacts(shared))
    results = trained_by_tune(replace(assignment, prefix=stage.to_json()), shared)
    assert [result["step"] for result in results[0]] == [2, 4, 6, 8]
    assert results == trained_by_tune(assignment, alone)


def test_it_ends_with_the_first_switch_of_those_who_share(assignment: Assignment) -> None:
    assert shared_stage(replace(assignment, config=FULL)).config["steps"] == 4
    assert shared_stage(replace(assignment, config=FULL), [FULL, PRETRAIN]).config["steps"] == 6


def test_it_ends_with_a_whole_round(assignment: Assignment) -> None:
    odd = replace(assignment, round_steps=3, config=FULL)
    assert shared_stage(odd).config["steps"] == 3


def test_those_who_share_name_one_stage(assignment: Assignment) -> None:
    keys = {shared_stage(replace(assignment, config=config)).key for config in (ROUND, FULL, PRETRAIN)}
    assert len(keys) == 1
    other_job = replace(assignment, job="all/search/byol_full/0002", attempt=3, config=FULL)
    assert shared_stage(other_job).key in keys


@pytest.mark.parametrize("config", [ANNEAL, NORMAL], ids=["anneal", "normal"])
def test_what_no_other_job_shares_has_none(assignment: Assignment, config: dict[str, Any]) -> None:
    assert prefix_of(assignment, config) is None


def test_a_prefix_shorter_than_a_round_is_none(assignment: Assignment) -> None:
    assert prefix_of(replace(assignment, round_steps=5), FULL) is None


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"steps": 16},
        {"data": replace(DATA, batch=3)},
        {"corpus_fingerprint": "another"},
        {"config": {**FULL, "lr": 0.01}},
        {"config": {**FULL, "cl_weight": 3.0}},
    ],
    ids=["seed", "budget", "data", "corpus", "rate", "weight"],
)
def test_whatever_changes_the_bits_changes_the_key(assignment: Assignment, change: dict[str, Any]) -> None:
    changed = replace(assignment, **{"config": FULL, **change})
    siblings = [changed.config, {**changed.config, "schedule": "round", "round_period": 0.5}]
    assert shared_stage(changed, siblings).key != shared_stage(replace(assignment, config=FULL)).key


def test_methods_without_switches_share_nothing(assignment: Assignment) -> None:
    plain = replace(assignment, method="normalized_ssl", config={"upstream": "tera"})
    assert prefix_stage(plain, [plain.config, plain.config]) is None
