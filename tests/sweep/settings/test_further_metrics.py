"""`--also METRIC=PLACE`: models are named, found and checked before anything starts, and kept in the plan."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.plan.plan import Plan
from sweep.settings.dry_run import describe
from tests.support.sweeps.typed_plan import freeze, plan, resume
from tests.trainables.metrics import toy_model
from trainables.base.errors import UserError
from trainables.metrics import catalogue


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
