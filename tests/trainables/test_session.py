"""A session trains a job round by round, and goes on elsewhere as if nothing had happened."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from sweep.storage.artifacts import StoredArtifacts
from tests.support.methods.assignments import DATA, small_assignment
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.examples.mixing import evaluation_set, training_batch
from trainables.base.randomness import seed_global_generators
from trainables.config.registry import build_method, config_class, run_stage
from trainables.job.assignment import Assignment
from trainables.job.stages import Stage
from trainables.method import When
from trainables.metrics.si_sdr import si_sdr
from trainables.session import Diverged, TrainingSession
from trainables.training.learning_rate import lr_factor

TENSORS = ("model.pt", "optimizer.pt")


@pytest.fixture(autouse=True)
def toy(toy_package: Path) -> None:
    torch.set_num_threads(1)


@pytest.fixture
def assignment(corpus: Corpus) -> Assignment:
    return small_assignment(corpus, method="toy", config={"strength": 0.5}, steps=10, round_steps=4)


def run_to_the_end(session: TrainingSession) -> TrainingSession:
    while not session.finished:
        session.run_round()
    return session


def without_seconds(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if not name.startswith("seconds_")}


def test_rounds_cover_the_budget_and_the_last_is_shorter(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    session = run_to_the_end(TrainingSession(assignment, corpus, artifacts))
    assert [report["step"] for report in session.reports] == [4, 8, 10]


def test_a_report_is_plain_numbers(assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts) -> None:
    report = TrainingSession(assignment, corpus, artifacts).run_round()
    assert all(type(value) in (int, float) for value in report.values())
    assert set(report) == {
        "step", "score", "score_current", "failed_clips", "estimate_gain", "flipped_share", "segsnr", "loss_total",
        "loss_mse", "gradient_norm", "clipped", "strength", "start", "overdriven", "seconds_train", "seconds_score",
    }  # fmt: skip


def test_a_round_is_the_textbook_loop(assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts) -> None:
    """The same steps written out with torch's own parts."""
    session = TrainingSession(assignment, corpus, artifacts)
    method = build_method("toy", config_class("toy").from_dict({"strength": 0.5}), {}, seed=7)
    groups = method.parameter_groups()
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.999), fused=True)
    peaks = [group["lr"] for group in groups]
    for step in range(4):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * lr_factor(step / 10, 0.1, 0.05)
        batch = training_batch(corpus, DATA, 7, step)
        seed_global_generators(7, "train", step)
        loss = method.training_losses(batch, When(step=step, epoch=0, steps=10))["total"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), 5.0)
        optimizer.step()
        method.after_step(When(step=step + 1, epoch=0, steps=10))
    session.run_round()
    for ours, theirs in zip(session.method.parameters(), method.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(cast(torch.Tensor, session.method.average), cast(torch.Tensor, method.average))


@pytest.mark.parametrize("interrupted_after", [1, 2])
def test_a_resumed_session_equals_an_unbroken_one_to_the_bit(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts, interrupted_after: int
) -> None:
    unbroken = run_to_the_end(TrainingSession(assignment, corpus, artifacts))
    first = TrainingSession(assignment, corpus, artifacts)
    for _ in range(interrupted_after):
        first.run_round()
    files = first.state()
    torch.rand(100), np.random.rand(100)  # what another process did with the global generators
    second = TrainingSession(assignment, corpus, artifacts)
    second.load_state(files)
    run_to_the_end(second)
    assert {name: second.state()[name] for name in TENSORS} == {name: unbroken.state()[name] for name in TENSORS}
    assert list(map(without_seconds, second.reports)) == list(map(without_seconds, unbroken.reports))


DRAFT = {"adapters": "draft", "draft_steps": 1}
NOISE_TYPES = {"adversary_layer": 2, "adversary_domains": "noise", "pretraining_input": "denoise"}


@pytest.mark.parametrize(
    "values",
    [
        {"upstream": "tera", "norm_layers": [1]},
        {"upstream": "wav2vec2", "norm_layers": [1]},
        {"upstream": "tera", "readout": "weighted_ln", **DRAFT, **NOISE_TYPES},
        {"upstream": "wav2vec2", "readout": "bsse", "adapters": "both", "adversary_layer": 9},
    ],
    ids=["tera", "wav2vec2", "tera-rivals", "wav2vec2-rivals"],
)
def test_the_shipped_method_resumes_to_the_bit(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts, values: dict[str, Any]
) -> None:
    config = config_class("normalized_ssl").from_dict({**values, "pretraining_steps": 1})
    stages = config.stages(7, corpus_uri=corpus.uri, corpus_fingerprint=corpus.fingerprint)
    for stage in stages:
        run_stage(stage, corpus, artifacts)
    real = replace(
        assignment,
        method="normalized_ssl",
        config=config.to_dict(),
        steps=4,
        round_steps=2,
        stages=tuple(stage.to_json() for stage in stages),
    )
    unbroken = TrainingSession(real, corpus, artifacts)
    unbroken.run_round()
    resumed = TrainingSession(real, corpus, artifacts)
    resumed.load_state(unbroken.state())
    one, other = unbroken.run_round(), resumed.run_round()
    assert without_seconds(one) == without_seconds(other)
    assert {name: resumed.state()[name] for name in TENSORS} == {name: unbroken.state()[name] for name in TENSORS}


def test_another_seed_gives_another_model(assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts) -> None:
    one = run_to_the_end(TrainingSession(assignment, corpus, artifacts))
    other = run_to_the_end(TrainingSession(replace(assignment, seed=8), corpus, artifacts))
    assert one.state()["model.pt"] != other.state()["model.pt"]


def test_the_score_is_the_mean_over_the_valid_set_without_the_aid(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    session = TrainingSession(assignment, corpus, artifacts)
    report = session.run_round()
    session.method.before_inference(When(step=4, epoch=0, steps=10), ablate=True)
    session.method.eval()
    values = []
    for clip in evaluation_set(corpus, DATA, "valid"):
        with torch.no_grad():
            estimate = session.method.infer(torch.tensor(clip.noisy)[None])[0, 0].numpy()
        values.append(si_sdr(clip.clean, estimate))
    assert report["score"] == pytest.approx(np.mean(values), abs=1e-6)
    assert report["score_current"] != report["score"]


def test_once_the_aid_is_gone_both_scores_are_one(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = TrainingSession(assignment, corpus, artifacts)
    session.run_round()
    scored = []
    rows = [{"metric": "si_sdr", "value": 1.5, "status": "ok"}]

    def score(*metrics: str) -> list[dict[str, Any]]:
        scored.append(metrics)
        return rows

    monkeypatch.setattr(session, "_score", score)
    assert session.run_round()["strength"] > 0  # of the round's last step
    assert session.run_round()["score_current"] == 1.5
    assert len(scored) == 2  # one each: from step 8 of 10 on the strength is 0


def test_estimates_have_the_length_of_their_clips_even_of_very_short_ones(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    data = replace(DATA, evaluation_clip_seconds=0.02)  # 320 samples, the toy takes no fewer than 400
    session = TrainingSession(replace(assignment, data=data), corpus, artifacts)
    estimates = session.estimates("test")
    assert estimates
    for clip, estimate in estimates:
        assert len(clip.noisy) == 320
        assert estimate.shape == clip.noisy.shape
        assert estimate.dtype == np.float32


def test_a_loss_that_is_not_a_number_ends_the_trial(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    session = TrainingSession(replace(assignment, config={"break_at": 2}), corpus, artifacts)
    with pytest.raises(Diverged, match="loss_total is nan at step 2"):
        session.run_round()
    assert all(torch.isfinite(parameter).all() for parameter in session.method.parameters())


def test_silence_has_no_score(assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts) -> None:
    session = TrainingSession(replace(assignment, config={"mute": True}), corpus, artifacts)
    with pytest.raises(Diverged, match="could be scored at step 4: no_utterance"):
        session.run_round()


def test_a_method_is_given_the_artifacts_of_its_stages_by_kind(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    stage = Stage(
        kind="pretraining",
        name="a body",
        runner="nowhere",
        version=1,
        config={},
        seed=7,
        corpus_uri=corpus.uri,
        corpus_fingerprint=corpus.fingerprint,
    )
    artifacts.write(stage.key, b"twelve bytes")
    session = TrainingSession(replace(assignment, stages=(stage.to_json(),)), corpus, artifacts)
    assert session.method.start == 12.0


def test_the_evaluation_set_is_built_once_per_process(
    assignment: Assignment, corpus: Corpus, artifacts: StoredArtifacts
) -> None:
    one = TrainingSession(assignment, corpus, artifacts).estimates("valid")
    other = TrainingSession(replace(assignment, seed=8), corpus, artifacts).estimates("valid")
    assert all(mine is yours for (mine, _), (yours, _) in zip(one, other, strict=True))
