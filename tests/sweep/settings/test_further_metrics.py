"""`--also METRIC=PLACE`: models are named, found and checked before anything starts, and kept in the plan."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.plan.plan import Plan
from sweep.settings.dry_run import describe
from sweep.settings.further_metrics import check_further_metrics, own_readings, with_references
from tests.support.recogniser import tiny_recogniser
from tests.support.sweeps.typed_plan import freeze, plan, resume
from tests.trainables.metrics import toy_model
from trainables.base.errors import UserError
from trainables.metrics import catalogue
from trainables.metrics.catalogue import METRICS


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, info in toy_model.TOYS.items():
        monkeypatch.setitem(catalogue._BUILT_IN, name, info)


def test_a_model_is_kept_in_the_plan_with_what_identifies_it(tmp_path: Path) -> None:
    (tmp_path / "three").write_text("3")
    planned = plan(tmp_path, "--also", "distance=three,scale,nb_pesq")
    made, place = planned.plan, str(tmp_path / "three")
    assert made.also == ("distance", "scale", "nb_pesq")
    assert made.models == {"distance": place, "scale": place}
    assert set(made.weights) == {"metric distance", "metric scale"}
    assert Plan.from_json(made.to_json()) == made
    assert place in describe(planned)


def test_a_hub_id_stays_as_it_is(tmp_path: Path) -> None:
    made = plan(tmp_path, "--also", "scale=some/model@v1").plan
    assert made.models == {"scale": "some/model@v1"}
    assert made.weights == {"metric scale": "some/model@v1"}


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("scale", "metric 'scale' needs a file with a number: a path: give --also scale=PLACE"),
        ("scale=", "--also scale= is empty: name a file"),
        ("stoi=three", "metric 'stoi' takes no model"),
        ("mos=three", "unknown metric 'mos'"),
        ("scale=./gone", "--also scale=.*/gone: no checkpoint at .*/gone"),
        ("scale=word", "--also scale=.*: holds no number"),
        ("scale=three,scale=word", "--also scale=... is given twice"),
        ("scale=s3://", "s3://"),
    ],
)
def test_a_model_that_cannot_serve_is_refused_in_one_line(tmp_path: Path, also: str, message: str) -> None:
    (tmp_path / "three").write_text("3")
    (tmp_path / "word").write_text("three")
    with pytest.raises(UserError, match=message) as refused:
        plan(tmp_path, "--also", also)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "sweeps").exists()


def test_what_a_method_does_not_measure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'ssl_cosine' is measured by methods themselves, and normalized_ssl .* none"):
        plan(tmp_path, "--also", "ssl_cosine")
    assert not (tmp_path / "sweeps").exists()


def test_a_layer_that_the_model_lacks_is_not_measured(tmp_path: Path) -> None:
    position = "--space", "position_invariance"
    assert plan(tmp_path, *position, "--also", "ssl_cosine_3").plan.also == ("ssl_cosine_3",)
    with pytest.raises(UserError, match="'ssl_cosine_6' is measured by methods themselves") as refused:
        plan(tmp_path, *position, "--also", "ssl_cosine_6")
    assert "\n" not in str(refused.value)
    assert plan(tmp_path, *position, "--set", "size=base", "--also", "ssl_cosine_6").plan.also == ("ssl_cosine_6",)


def test_what_is_measured_on_test_only_cannot_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, info in catalogue.METRICS.usable().items():
        monkeypatch.setitem(catalogue._BUILT_IN, name, replace(info, measured=True))
    with pytest.raises(UserError, match="measured on test only, so it cannot decide"):
        plan(tmp_path)


def test_a_resume_knows_its_models_and_refuses_others(tmp_path: Path) -> None:
    (tmp_path / "three").write_text("3")
    planned = plan(tmp_path, "--name", "mine", "--also", "scale=three")
    freeze(planned)
    assert resume(tmp_path, "mine").plan == planned.plan
    assert resume(tmp_path, "mine", "--also", "scale=three").plan == planned.plan
    (tmp_path / "four").write_text("4")
    with pytest.raises(UserError, match="--also would change it"):
        resume(tmp_path, "mine", "--also", "scale=four")
    (tmp_path / "three").write_text("3.5")
    with pytest.raises(UserError, match="the weights of metric scale have changed"):
        resume(tmp_path, "mine")


# -- error rates ----------------------------------------------------------------------------------------------


@pytest.fixture
def recogniser(tmp_path: Path) -> str:
    return str(tiny_recogniser(tmp_path / "tiny"))


def transcribed(plan: Plan, **counts: float) -> Plan:
    """On a corpus with these counts in its test split."""
    splits = {**plan.corpus_summary["splits"], "test": {"utterances": 8, "speech_seconds": 20.0, **counts}}
    return replace(plan, corpus_summary={**plan.corpus_summary, "splits": splits})


def asked(tmp_path: Path, recogniser: str, **counts: float) -> Plan:
    """A plan with its error rates on transcripts, as typed, and then settled for the corpus."""
    made = plan(tmp_path, "--also", f"wer={recogniser},cer").plan
    named = {name.removesuffix("_own"): value for name, value in made.weights.items()}
    models = {name.removesuffix("_own"): place for name, place in made.models.items()}
    also_names = tuple(name.removesuffix("_own") for name in made.also)
    return with_references(transcribed(replace(made, also=also_names, models=models, weights=named), **counts))


def test_without_transcripts_the_reference_is_the_recognisers_own_reading(tmp_path: Path, recogniser: str) -> None:
    planned = plan(tmp_path, "--also", f"wer={recogniser},nb_pesq,cer")
    assert planned.plan.also == ("wer_own", "nb_pesq", "cer_own")
    assert planned.plan.models == {"wer_own": recogniser, "cer_own": recogniser}
    assert set(planned.plan.weights) == {"metric wer_own", "metric cer_own"}
    assert METRICS["wer_own"].title in describe(planned)
    assert len(own_readings(planned.plan)) == 2
    assert planned.plan.held("wer") == "wer_own"
    assert planned.plan.held("nb_pesq") == "nb_pesq"


def test_with_whole_transcribed_utterances_transcripts_are_the_reference(tmp_path: Path, recogniser: str) -> None:
    made = asked(tmp_path, recogniser, transcribed=8, longest_seconds=4.0)
    assert made.also == ("wer", "cer")
    assert set(made.models) == {"wer", "cer"}
    assert set(made.weights) == {"metric wer", "metric cer"}
    assert own_readings(made) == []


@pytest.mark.parametrize(
    "counts", [{}, {"transcribed": 7, "longest_seconds": 3.0}, {"transcribed": 8, "longest_seconds": 4.01}]
)
def test_two_kinds_of_reference_are_never_mixed(tmp_path: Path, recogniser: str, counts: dict[str, float]) -> None:
    made = asked(tmp_path, recogniser, **counts)
    assert made.also == ("wer_own", "cer_own")
    assert with_references(made) == made
    assert len(own_readings(made)) == 2


def test_a_resume_may_repeat_what_was_typed(tmp_path: Path, recogniser: str) -> None:
    planned = plan(tmp_path, "--name", "mine", "--also", f"wer={recogniser}")
    freeze(planned)
    for again in (f"wer={recogniser}", f"wer_own={recogniser}"):
        assert resume(tmp_path, "mine", "--also", again).plan == planned.plan
    for other in (f"cer={recogniser}", "wer=some/model"):
        with pytest.raises(UserError, match="--also would change it"):
            resume(tmp_path, "mine", "--also", other)


def test_a_metric_with_a_model_cannot_decide(tmp_path: Path, recogniser: str) -> None:
    made = plan(tmp_path, "--also", f"wer={recogniser}").plan
    with pytest.raises(UserError, match="'wer_own' needs a model, so it cannot decide"):
        check_further_metrics(replace(made, metric="wer_own"))


def test_a_folder_that_is_no_recogniser_is_refused_before_anything_starts(tmp_path: Path, recogniser: str) -> None:
    Path(recogniser, "vocab.json").unlink()
    with pytest.raises(UserError, match=r"--also wer=.*holds no vocab.json"):
        plan(tmp_path, "--also", f"wer={recogniser}")


def test_audio_at_another_rate_is_refused(tmp_path: Path, recogniser: str) -> None:
    with pytest.raises(UserError, match="needs audio at 16000 Hz, this is at 8000 Hz"):
        plan(tmp_path, "--space", "separation_pretraining", "--also", f"wer={recogniser}")
