"""A corpus of its own for pre-training: what is computed on which, in the plan and in every key that depends on it."""

from pathlib import Path
from typing import Any

import pytest

from sweep.plan.plan import Plan
from sweep.settings.dry_run import describe
from tests.support.methods import s3prl_model
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.audio.corpus.corpus import Corpus
from trainables.base.errors import UserError
from trainables.job.stages import Stage, in_order
from trainables.session import TrainingSession

SEPARATION = ("--space", "separation_pretraining", "--preset", "smoke")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Corpus]:
    """Of two sizes, for the task and for pre-training."""
    folder = tmp_path_factory.mktemp("corpora")
    return make_tiny_corpus(folder / "task", speakers=15), make_tiny_corpus(folder / "pretraining")


@pytest.fixture
def both(corpora: tuple[Corpus, Corpus]) -> tuple[str, ...]:
    return "--corpus", corpora[0].uri, "--pretraining-corpus", corpora[1].uri


def fingerprints(stages: list[Stage], pretrains: bool) -> set[str]:
    return {stage.corpus_fingerprint for stage in in_order(tuple(stages)) if stage.pretrains == pretrains}


def test_pre_training_alone_is_on_it(corpora: tuple[Corpus, Corpus], both: tuple[str, ...], tmp_path: Path) -> None:
    task, pretraining = corpora
    made = plan(tmp_path, "--preset", "smoke", "--upstreams", "tera,hubert", *both).plan
    stages = [*made.stages(), *made.gate_stages()]
    assert {stage.kind for stage in in_order(tuple(stages)) if stage.pretrains} == {"pretraining", "speech_units"}
    assert fingerprints(stages, pretrains=True) == {pretraining.fingerprint}
    assert fingerprints(stages, pretrains=False) == {task.fingerprint}  # the gates
    plain = plan(tmp_path, "--preset", "smoke", "--upstreams", "tera,hubert", *both[:2]).plan
    assert not {stage.key for stage in stages} & {stage.key for stage in plain.stages()}
    job = made.final_jobs("tera")[0]
    assignment = made.assignment(job, made.anchor(made.groups[0], made.groups[0].candidates[0]), attempt=1)
    assert (assignment.corpus_fingerprint, assignment.pretraining_corpus_uri) == (task.fingerprint, "")
    assert {Stage.from_json(stage).key for stage in assignment.stages} <= {stage.key for stage in stages}


def test_the_same_corpus_twice_is_the_same_stage(corpora: tuple[Corpus, Corpus], tmp_path: Path) -> None:
    one = ("--corpus", corpora[0].uri)
    twice = plan(tmp_path, "--preset", "smoke", *one, "--pretraining-corpus", corpora[0].uri).plan
    assert {stage.key for stage in twice.stages()} == {
        s.key for s in plan(tmp_path, "--preset", "smoke", *one).plan.stages()
    }


def test_the_second_task_of_multi_task_training_draws_from_it(
    corpora: tuple[Corpus, Corpus], both: tuple[str, ...], tmp_path: Path
) -> None:
    made = plan(tmp_path, *SEPARATION, *both).plan
    group = made.groups[0]
    drawn = {}
    for candidate in group.candidates:
        job = next(job for job in made.search_jobs(group.name) if job.candidate == candidate.label)
        drawn[candidate.label] = made.assignment(job, made.anchor(group, candidate), attempt=1)
    assert {label for label, each in drawn.items() if each.pretraining_corpus_uri} == {"multitask"}
    artifacts: Any = {}
    session = TrainingSession(drawn["multitask"], corpora[0], artifacts)
    assert session.method.pretraining_corpus is not None
    assert session.method.pretraining_corpus.fingerprint == corpora[1].fingerprint
    batches = session.method.draw_batches(corpora[0], drawn["multitask"].data, 1, 0)
    session.method.pretraining_corpus = None
    without = session.method.draw_batches(corpora[0], drawn["multitask"].data, 1, 0)
    for with_it, plain in zip(batches, without, strict=True):
        separates = with_it.clean.dim() == 3
        assert with_it.noisy.equal(plain.noisy) == separates


def test_it_is_in_the_plan_and_shown(both: tuple[str, ...], tmp_path: Path) -> None:
    planned = plan(tmp_path, *SEPARATION, *both)
    assert Plan.from_json(planned.plan.to_json()) == planned.plan
    shown = describe(planned).splitlines()
    assert any(line.startswith("pre-train  train 3 speakers") for line in shown)
    assert any(line.startswith("pre-train ") and line.endswith("[--pretraining-corpus]") for line in shown)


def test_a_resume_may_repeat_it_but_not_change_it(both: tuple[str, ...], tmp_path: Path) -> None:
    started = plan(tmp_path, "--name", "first", *SEPARATION, *both)
    freeze(started)
    assert resume(tmp_path, "first", *both[2:]).plan == started.plan
    with pytest.raises(UserError, match="--pretraining-corpus would change it"):
        resume(tmp_path, "first", "--pretraining-corpus", both[1])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--space", "contrastive_schedule"), "no job of this plan is pre-trained here"),
        (("--space", "norm_layers", "--pretraining-corpus", "nowhere"), "--pretraining-corpus 'nowhere': .*not exist"),
    ],
)
def test_where_it_has_no_use_or_is_not_there_it_is_refused(
    both: tuple[str, ...], flags: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        plan(tmp_path, "--preset", "smoke", *both, *flags)


def test_published_weights_need_none(both: tuple[str, ...], tmp_path: Path) -> None:
    s3prl_model.write(tmp_path / "tera.ckpt")
    flags = ("--preset", "small", "--upstreams", "tera", "--set", f"checkpoint={tmp_path / 'tera.ckpt'}")
    with pytest.raises(UserError, match="no job of this plan is pre-trained here"):
        plan(tmp_path, *flags, *both)
