"""One job under Ray Tune: it may die, come back, or share its actor, and its bits stay the same."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import tune

from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from tests.support.methods.assignments import small_assignment
from tests.support.packages import join_path
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.inference import infer_split, score_estimates, score_noisy, stored_estimates
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import PROGRESS, Checkpoints, stored_reports
from trainables.job.stages import Artifacts
from trainables.trainable import SpeechTrainable

STEPS, ROUND = 8, 2


class ToyTrainable(SpeechTrainable):
    """Has the toy package wherever Tune starts it; dies once where the config names a file to mark it."""

    def setup(
        self, config: dict[str, Any], checkpoints: Checkpoints | None = None, artifacts: Artifacts | None = None
    ) -> None:
        join_path(Path(config["toy_package"]))
        self._die_once = config.get("die_once")
        super().setup(config, checkpoints, artifacts)

    def step(self) -> dict[str, Any]:
        result = super().step()
        if self._die_once and result["step"] == 4 and not Path(self._die_once).exists():
            Path(self._die_once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return result


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "sweep")


@pytest.fixture
def assignment(corpus: Corpus, toy_package: Path) -> Assignment:
    return small_assignment(corpus, method="toy", config={"strength": 0.5}, steps=STEPS, round_steps=ROUND)


def set_up(assignment: Assignment, storage: Storage) -> SpeechTrainable:
    """The trainable in this process, without a cluster."""
    trainable = object.__new__(SpeechTrainable)
    trainable.setup(
        {"assignment": assignment.to_json()},
        checkpoints=StoredCheckpoints(storage),
        artifacts=StoredArtifacts(storage),
    )
    return trainable


def step_until_done(trainable: SpeechTrainable) -> list[dict[str, Any]]:
    results = [trainable.step()]
    while not results[-1]["done"]:
        results.append(trainable.step())
    return results


def newest(storage: Storage, job: str) -> tuple[int, dict[str, bytes]]:
    found = StoredCheckpoints(storage).newest(job)
    assert found is not None
    return found


def final_bits(storage: Storage, job: str) -> dict[str, bytes]:
    """The weights a job ended with; the optimizer that led to them is kept only until then."""
    step, files = newest(storage, job)
    assert step == STEPS
    assert set(files) == {"model.pt", PROGRESS}
    return {"model.pt": files["model.pt"]}


@pytest.fixture
def unbroken(assignment: Assignment, tmp_path: Path) -> dict[str, bytes]:
    """What the job ends with when nothing happens to it."""
    elsewhere = Storage(tmp_path / "unbroken")
    step_until_done(set_up(assignment, elsewhere))
    return final_bits(elsewhere, assignment.job)


def test_every_round_is_one_result_and_the_last_is_done(assignment: Assignment, storage: Storage) -> None:
    results = step_until_done(set_up(replace(assignment, attempt=3), storage))
    assert [result["step"] for result in results] == [2, 4, 6, 8]
    assert [result["done"] for result in results] == [False, False, False, True]
    assert {(result["job"], result["attempt"]) for result in results} == {(assignment.job, 3)}


def test_two_checkpoints_are_kept_and_the_newest_holds_every_report(assignment: Assignment, storage: Storage) -> None:
    results = step_until_done(set_up(assignment, storage))
    folders = {path.split("/")[-2] for path in storage.list("jobs")}
    assert folders == {"step-6", "step-8"}
    stored = stored_reports(newest(storage, assignment.job)[1])
    assert [report["score"] for report in stored] == [result["score"] for result in results]


def test_setup_leaves_no_trace(assignment: Assignment, storage: Storage) -> None:
    set_up(assignment, storage).cleanup()
    assert storage.list() == []


def test_a_resumed_job_repeats_its_last_report_and_goes_on_to_the_same_bits(
    assignment: Assignment, storage: Storage, unbroken: dict[str, bytes]
) -> None:
    first = set_up(assignment, storage)
    reported = [first.step(), first.step()]
    second = set_up(replace(assignment, attempt=2), storage)
    results = step_until_done(second)
    assert [result["step"] for result in results] == [4, 6, 8]
    assert results[0] == {**reported[-1], "attempt": 2}
    assert final_bits(storage, assignment.job) == unbroken


def test_a_finished_job_only_repeats_its_last_report(assignment: Assignment, storage: Storage, corpus: Corpus) -> None:
    last = step_until_done(set_up(assignment, storage))[-1]
    gone = replace(assignment, corpus_uri=f"{corpus.uri}-gone")  # it is not even opened
    assert step_until_done(set_up(gone, storage)) == [last]


def test_a_damaged_checkpoint_costs_a_round_and_nothing_else(
    assignment: Assignment, storage: Storage, unbroken: dict[str, bytes]
) -> None:
    first = set_up(assignment, storage)
    for _ in range(3):
        first.step()
    storage.write(f"jobs/{assignment.job}/step-6/model.pt", b"half of it")
    results = step_until_done(set_up(assignment, storage))
    assert [result["step"] for result in results] == [4, 6, 8]
    assert final_bits(storage, assignment.job) == unbroken


def test_of_two_attempts_at_once_the_first_to_store_a_step_is_believed(
    assignment: Assignment, storage: Storage, unbroken: dict[str, bytes]
) -> None:
    one, other = set_up(assignment, storage), set_up(replace(assignment, attempt=2), storage)
    one.step()
    other.step()  # both stand at the first checkpoint
    first, second = one.step(), other.step()
    assert second == {**first, "attempt": 2}  # seconds and all: it is the stored report
    step_until_done(one)
    assert step_until_done(other)[-1]["done"]
    assert final_bits(storage, assignment.job) == unbroken


def test_a_changed_corpus_is_refused(assignment: Assignment, storage: Storage) -> None:
    with pytest.raises(UserError, match="has changed"):
        set_up(replace(assignment, corpus_fingerprint="another"), storage).step()


def test_it_says_how_to_be_wrapped(assignment: Assignment) -> None:
    with pytest.raises(TypeError, match="with_parameters"):
        object.__new__(SpeechTrainable).setup({"assignment": assignment.to_json()})


def test_a_finalist_leaves_estimates_that_its_checkpoint_can_make_again(
    assignment: Assignment, storage: Storage, corpus: Corpus
) -> None:
    final = replace(assignment, job="all/final/none/seed-7", phase="final")
    step_until_done(set_up(final, storage))
    checkpoints, artifacts = StoredCheckpoints(storage), StoredArtifacts(storage)
    stored = stored_estimates(final, corpus, checkpoints, "valid")
    again = infer_split(final, corpus, checkpoints, artifacts, "valid")
    for (clip, estimate), (same_clip, same_estimate) in zip(stored, again, strict=True):
        assert clip.utterance == same_clip.utterance
        assert estimate.dtype == np.float32
        assert np.array_equal(estimate, same_estimate)


def test_a_search_trial_stores_no_estimates(assignment: Assignment, storage: Storage, corpus: Corpus) -> None:
    step_until_done(set_up(assignment, storage))
    with pytest.raises(FileNotFoundError):
        stored_estimates(assignment, corpus, StoredCheckpoints(storage), "valid")


def test_only_a_whole_budget_is_inferred(assignment: Assignment, storage: Storage, corpus: Corpus) -> None:
    set_up(assignment, storage).step()
    with pytest.raises(RuntimeError, match="no checkpoint at step 8, newest is step 2"):
        infer_split(assignment, corpus, StoredCheckpoints(storage), StoredArtifacts(storage), "test")


def test_rows_carry_all_that_a_verdict_needs(assignment: Assignment, storage: Storage, corpus: Corpus) -> None:
    final = replace(assignment, job="tera/final/layer2/seed-7", phase="final")
    trainable = set_up(final, storage)
    last = step_until_done(trainable)[-1]
    estimates = stored_estimates(final, corpus, StoredCheckpoints(storage), "valid")
    rows = score_estimates(final, estimates, "valid", metrics=["si_sdr"])
    clip = estimates[0][0]
    assert (rows[0]["group"], rows[0]["candidate"], rows[0]["phase"]) == ("tera", "layer2", "final")
    assert (rows[0]["seed"], rows[0]["job"], rows[0]["split"]) == (7, final.job, "valid")
    assert (rows[0]["utterance"], rows[0]["speaker"]) == (clip.utterance, clip.speaker)
    assert (rows[0]["noise_type"], rows[0]["snr_db"]) == (clip.noise_type, clip.snr_db)
    assert np.mean([row["value"] for row in rows]) == pytest.approx(last["score"], abs=1e-9)


def test_the_noisy_input_is_a_candidate_too(assignment: Assignment, corpus: Corpus) -> None:
    rows = score_noisy(corpus, assignment.data, "valid", metrics=["si_sdr"])
    assert {(row["candidate"], row["seed"], row["status"]) for row in rows} == {("noisy", -1, "ok")}


def tune_jobs(storage: Storage, configs: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The jobs through one real Tune run, one after the other, in one actor if it survives."""
    trainable = tune.with_parameters(
        ToyTrainable, checkpoints=StoredCheckpoints(storage), artifacts=StoredArtifacts(storage)
    )
    results = tune.Tuner(
        tune.with_resources(trainable, {"CPU": 1}),
        param_space=tune.grid_search(configs),
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=1),
        run_config=tune.RunConfig(
            storage_path=str(folder),
            failure_config=tune.FailureConfig(max_failures=2),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            verbose=0,
        ),
    ).fit()
    assert not results.errors
    found = []
    for number in range(len(results)):
        metrics = results[number].metrics
        assert metrics is not None
        found.append(metrics)
    return found


def test_an_actor_s_second_job_has_the_bits_of_a_fresh_process(
    ray_cluster: None,
    toy_package: Path,
    assignment: Assignment,
    storage: Storage,
    tmp_path: Path,
    unbroken: dict[str, bytes],
) -> None:
    before = replace(assignment, job="all/search/none/0000", seed=1, config={"lr": 1e-2, "strength": 0.0})
    configs = [{"assignment": job.to_json(), "toy_package": str(toy_package)} for job in (before, assignment)]
    first, second = tune_jobs(storage, configs, tmp_path / "tune")
    assert first["pid"] == second["pid"] != os.getpid()
    assert final_bits(storage, assignment.job) == unbroken


def test_a_killed_actor_costs_the_job_nothing(
    ray_cluster: None,
    toy_package: Path,
    assignment: Assignment,
    storage: Storage,
    tmp_path: Path,
    unbroken: dict[str, bytes],
) -> None:
    config = {"assignment": assignment.to_json(), "toy_package": str(toy_package)}
    config["die_once"] = str(tmp_path / "died")
    (result,) = tune_jobs(storage, [config], tmp_path / "tune")
    assert (tmp_path / "died").exists()
    assert result["step"] == STEPS
    assert final_bits(storage, assignment.job) == unbroken
