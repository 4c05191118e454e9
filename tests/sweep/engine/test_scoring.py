"""The driver's scoring actors: what they store is what the finalists' models really scored."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.core.stopping import StopSignal
from sweep.engine import failures, scoring
from sweep.engine.scoring import ScoringContext, ScoringFailed, ScoringPool, full_pool_size, pool_size
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.rows import collect_rows
from tests.support.hunting import hunting
from tests.support.methods.tiny_corpus import make_tiny_corpus
from trainables.audio.corpus.corpus import Corpus
from trainables.base.determinism import deterministic
from trainables.base.storage.storage import Storage
from trainables.evaluation import evaluation_clips
from trainables.inference import NOISY, estimates_file, infer_split, score_estimates, score_noisy
from trainables.job.assignment import Assignment, DataSettings
from trainables.listening import LISTENING_FILE, read_clips
from trainables.trainable import SpeechTrainable

DATA = DataSettings(batch=2, crop_seconds=0.5, valid_seconds=3.0, test_seconds=3.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return Storage(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def finalist(corpus: Corpus, storage: Storage) -> Assignment:
    """A small one, trained to its end in this process."""
    assignment = Assignment(
        job="tera/final/random/seed-7",
        phase="final",
        config={"upstream": "tera", "init": "random"},
        seed=7,
        steps=2,
        round_steps=2,
        corpus_uri=corpus.uri,
        corpus_fingerprint=corpus.fingerprint,
        data=DATA,
    )
    trainable = object.__new__(SpeechTrainable)
    with deterministic(1):
        trainable.setup({"assignment": assignment.to_json()}, StoredCheckpoints(storage), StoredArtifacts(storage))
        assert trainable.step()["done"]
    return assignment


@pytest.fixture
def pool(ray_cluster: None, corpus: Corpus, storage: Storage) -> Iterator[ScoringPool]:
    context = ScoringContext(corpus, StoredCheckpoints(storage), StoredArtifacts(storage), threads=1, gpus=0)
    pool = ScoringPool(context, size=1)
    yield pool
    pool.close()


def test_valid_is_scored_by_what_decides_and_test_by_everything(
    pool: ScoringPool, corpus: Corpus, storage: Storage, finalist: Assignment
) -> None:
    pool.submit(finalist, "valid")
    pool.submit(finalist, "test")
    pool.submit_noisy(finalist, "test")
    pool.wait(StopSignal())

    with deterministic(1):
        estimates = {
            split: infer_split(finalist, corpus, StoredCheckpoints(storage), StoredArtifacts(storage), split)
            for split in ("valid", "test")
        }
        expected = score_estimates(finalist, estimates["test"], "test")
        assert collect_rows(StoredCheckpoints(storage), [finalist.job], "test") == expected
        only_si_sdr = score_estimates(finalist, estimates["valid"], "valid", ["si_sdr"])
        assert collect_rows(StoredCheckpoints(storage), [finalist.job], "valid") == only_si_sdr
        assert collect_rows(StoredCheckpoints(storage), [NOISY], "test") == score_noisy(corpus, DATA, "test")
    assert not storage.exists(f"jobs/{finalist.job}/{estimates_file('valid')}")


def test_slow_metrics_are_spared_on_test_and_listening_clips_have_them_all(corpus: Corpus, tmp_path: Path) -> None:
    """Through the actor's own code, in this process."""
    checkpoints, artifacts = StoredCheckpoints(Storage(tmp_path)), StoredArtifacts(Storage(tmp_path))
    scorer: Any = object.__new__(scoring._Scorer)
    scorer._context = ScoringContext(corpus, checkpoints, artifacts, 1, 0, ("wb_pesq", "si_sdr"), slow_clips=1)
    assignment = Assignment(job=NOISY, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint, data=DATA)
    for split in ("valid", "test"):
        scorer.score(NOISY, assignment.to_json(), split, None)
    heard = [clip.utterance for clip in evaluation_clips(corpus, DATA, "test")]
    assert len(heard) > 1
    rows = {(row["utterance"], row["metric"]): row for row in collect_rows(checkpoints, [NOISY], "test")}
    statuses = {name: [rows[utterance, name]["status"] for utterance in heard] for name in ("wb_pesq", "si_sdr")}
    assert statuses["si_sdr"] == ["ok"] * len(heard)
    assert statuses["wb_pesq"] == ["ok"] + ["not_computed"] * (len(heard) - 1)
    assert all(rows[utterance, "wb_pesq"]["value"] is None for utterance in heard[1:])
    assert {row["status"] for row in collect_rows(checkpoints, [NOISY], "valid")} == {"ok"}
    kept = read_clips(checkpoints.read_result(NOISY, LISTENING_FILE))
    assert [clip.utterance for clip in kept] == heard[:1]


def test_without_stored_estimates_the_weights_give_the_same_rows(
    pool: ScoringPool, storage: Storage, finalist: Assignment
) -> None:
    """Killed between the deletion of estimates and the loss of rows, or rows deleted by hand."""
    rows = storage.read(f"jobs/{finalist.job}/rows-valid.parquet")
    assert not storage.exists(f"jobs/{finalist.job}/{estimates_file('valid')}")
    storage.delete(f"jobs/{finalist.job}/rows-valid.parquet")
    pool.submit(finalist, "valid")
    pool.wait(StopSignal())
    assert storage.read(f"jobs/{finalist.job}/rows-valid.parquet") == rows


def test_what_is_scored_is_not_scored_again(pool: ScoringPool, storage: Storage, finalist: Assignment) -> None:
    folder = f"jobs/{finalist.job}"
    storage.write(f"{folder}/rows-test.parquet", b"as an earlier driver left them")
    pool.submit(finalist, "test")
    pool.wait(StopSignal())
    assert storage.read(f"{folder}/rows-test.parquet") == b"as an earlier driver left them"


def test_a_failure_reaches_who_waits_and_the_rest_is_scored(
    pool: ScoringPool, storage: Storage, finalist: Assignment
) -> None:
    unknown = replace(finalist, job="tera/final/random/seed-8", seed=8)
    pool.submit(unknown, "test")
    pool.submit_noisy(finalist, "valid")
    with pytest.raises(ScoringFailed, match=r"seed-8 on test failed: .*no checkpoint at step 2"):
        pool.wait(StopSignal())
    assert collect_rows(StoredCheckpoints(storage), [NOISY], "valid")


def test_scoring_processes_that_are_killed_from_outside_cost_no_score(
    ray_cluster: None, corpus: Corpus, finalist: Assignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prey = tmp_path / "prey"

    class Prey(scoring._Scorer):
        def score(self, *arguments: Any) -> None:
            if len(prey.read_text().splitlines()) < 4:
                with prey.open("a") as caught:
                    caught.write(f"{os.getpid()}\n")
                time.sleep(3600)
            super().score(*arguments)

    monkeypatch.setattr(failures, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(scoring, "_Scorer", Prey)
    checkpoints = StoredCheckpoints(Storage(tmp_path))
    pool = ScoringPool(ScoringContext(corpus, checkpoints, StoredArtifacts(Storage(tmp_path)), 1, 0), size=1)
    with hunting(prey, kills=4):
        pool.submit_noisy(finalist, "valid")
        pool.wait(StopSignal())
    pool.close()
    assert collect_rows(checkpoints, [NOISY], "valid")


@pytest.mark.parametrize(
    ("cores", "beside_training", "alone"), [(1, 1, 1), (2, 1, 2), (6, 3, 6), (16, 4, 16), (192, 4, 16)]
)
def test_there_are_as_many_actors_as_the_driver_may_use_cores_for_and_no_crowd(
    cores: int, beside_training: int, alone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 192)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    assert (pool_size(), full_pool_size()) == (beside_training, alone)
