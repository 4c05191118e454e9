"""What a method measures of its own estimates: rows like those of metrics, with a status where there is no number."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweep.engine import scoring
from sweep.storage.artifacts import StoredArtifacts
from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.rows import collect_rows
from tests.support.methods.assignments import DATA, small_assignment
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import EvaluationClip
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.evaluation import evaluation_clips, score_clips
from trainables.inference import NOISY
from trainables.job.assignment import Assignment
from trainables.job.checkpoints import OPTIMIZER
from trainables.method import Method
from trainables.metrics.scorer import Outcome, Scorer
from trainables.session import TrainingSession

NAME = "toy_filter_distance"


@pytest.fixture(autouse=True)
def toy(toy_package: Path) -> None:
    torch.set_num_threads(1)


@pytest.fixture
def finished(corpus: Corpus, artifacts: StoredArtifacts) -> TrainingSession:
    assignment = small_assignment(corpus, method="toy", config={}, steps=4, round_steps=4, phase="final")
    session = TrainingSession(assignment, corpus, artifacts)
    session.run_round()
    return session


def of_first_clip(session: TrainingSession, monkeypatch: pytest.MonkeyPatch, value: float | Exception) -> list[Outcome]:
    """Of the test clips, where the method measures only the first."""

    def measures(self: Method, wanted: list[str], clips: list[Any], estimates: list[Any]) -> list[dict[str, float]]:
        if isinstance(value, Exception):
            raise value
        return [{NAME: value}, *({} for _ in clips[1:])]

    monkeypatch.setattr(type(session.method), "measures", measures)
    estimates = session.estimates("test")
    measured = session.measures(estimates, [NAME])
    return [measured[clip.utterance][NAME] for clip, _ in estimates]


def test_a_measure_is_what_the_method_says(finished: TrainingSession) -> None:
    estimates = finished.estimates("test")
    measured = finished.measures(estimates, [NAME])
    method: Any = finished.method
    assert len(estimates) > 1
    for clip, audio in estimates:
        (value, status, weight) = measured[clip.utterance][NAME]
        assert (status, weight) == ("ok", None)
        with torch.no_grad():
            answers = [method.net[0](torch.from_numpy(each)[None, None]) for each in (clip.clean, audio)]
        assert value == pytest.approx(float((answers[0] - answers[1]).square().mean()), rel=1e-5)
    assert finished.measures(estimates, []) == {clip.utterance: {} for clip, _ in estimates}


def test_what_is_left_out_or_not_finite_has_a_status(
    finished: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = of_first_clip(finished, monkeypatch, 0.5)
    assert first == (0.5, "ok", None)
    assert set(others) == {Outcome(None, "not_measured")}
    assert of_first_clip(finished, monkeypatch, float("nan"))[0] == (None, "non_finite", None)


def test_a_measure_that_breaks_is_a_status_of_every_clip(
    finished: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = of_first_clip(finished, monkeypatch, RuntimeError("out of memory"))
    assert set(found) == {Outcome(None, "error: RuntimeError: out of memory")}


def test_waveforms_alone_give_no_measure(corpus: Corpus) -> None:
    clip = evaluation_clips(corpus, DATA, "test")[0]
    with pytest.raises(UserError, match="measured by a method"):
        Scorer(["ssl_cosine"]).score(["a"], [clip.clean], [clip.noisy])


def test_silence_is_not_measured(corpus: Corpus) -> None:
    clips = evaluation_clips(corpus, DATA, "test")
    measured = {clip.utterance: {NAME: Outcome(0.25, "ok")} for clip in clips}
    silent = [np.zeros_like(clips[0].clean), *(clip.noisy for clip in clips[1:])]
    rows = score_clips(clips, silent, ["stoi", NAME], DATA, measured=measured)
    assert len(rows) == 2 * len(clips)
    first, *others = [row for row in rows if row["metric"] == NAME]
    assert (first["value"], first["status"]) == (None, "no_utterance")
    assert {(row["value"], row["status"]) for row in others} == {(0.25, "ok")}


def test_several_voices_are_measured_too() -> None:
    voices = np.random.default_rng(0).normal(size=(2, 8000)).astype(np.float32)
    clip = EvaluationClip("u", "s", "n", 0.0, noisy=voices.sum(0), clean=voices)
    data = replace(DATA, speakers=2)
    rows = score_clips([clip], [voices], ["si_sdr", NAME], data, measured={"u": {NAME: Outcome(1.0, "ok")}})
    assert [(row["metric"], row["status"]) for row in rows] == [("si_sdr", "ok"), (NAME, "ok")]
    half = np.stack([voices[0], np.zeros(8000, np.float32)])
    rows = score_clips([clip], [half], [NAME], data, measured={"u": {NAME: Outcome(1.0, "ok")}})
    assert [(row["value"], row["status"]) for row in rows] == [(None, "no_utterance")]


def test_test_is_measured_and_valid_is_not(finished: TrainingSession, corpus: Corpus, tmp_path: Path) -> None:
    """Through the scoring actor's own code, in this process."""
    assignment: Assignment = finished.assignment
    checkpoints, artifacts = StoredCheckpoints(Storage(tmp_path)), StoredArtifacts(Storage(tmp_path))
    files = {name: content for name, content in finished.state().items() if name != OPTIMIZER}
    checkpoints.save(assignment.job, finished.step, files)
    context = scoring.ScoringContext(corpus, checkpoints, artifacts, 1, 0, ("si_sdr", NAME))
    scorer = object.__new__(scoring._Scorer)
    scorer._context = context
    for split in ("valid", "test"):
        infer: Any = scoring._infer
        inferred = infer._function(context, assignment.to_json(), split)
        scorer.score(assignment.job, assignment.to_json(), split, inferred)
        scorer.score(NOISY, assignment.to_json(), split, None)
    clips = evaluation_clips(corpus, assignment.data, "test")
    rows = collect_rows(checkpoints, [assignment.job], "test")
    assert [row["metric"] for row in rows] == ["si_sdr"] * len(clips) + [NAME] * len(clips)
    expected = finished.measures(finished.estimates("test"), [NAME])
    for row in rows[len(clips) :]:
        assert row["value"] == expected[row["utterance"]][NAME].value
        assert (row["status"], row["split"], row["candidate"]) == ("ok", "test", assignment.job.split("/")[2])
        assert row["gain"] is None
    assert {row["metric"] for row in collect_rows(checkpoints, [NOISY], "test")} == {"si_sdr"}
    for job in (assignment.job, NOISY):
        assert {row["metric"] for row in collect_rows(checkpoints, [job], "valid")} == {"si_sdr"}
