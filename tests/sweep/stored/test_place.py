"""A sweep that was moved goes on where it was found; one that was copied says which two places there are."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from sweep.commands.main import run_command
from sweep.commands.replaying import stored_job
from sweep.core.addresses import sqlite_path
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.stored import layout
from sweep.stored.by_name import load_plan
from sweep.stored.place import found_in, left_behind, refuse_copy
from sweep.study.study import StudyStore
from sweep.tracking.mlflow_view import open_client
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.shared_servers import User, runs_of
from tests.support.sweeps.small_sweep import make_plan
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path


# -- the plan ---------------------------------------------------------------------------------------------


def test_every_place_inside_the_folder_follows_and_no_other(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "a?b" / "new"
    plan = make_plan(
        old,
        fixed={"checkpoint": f"{old}/body.pt"},
        space_file=f"{old}-not-inside/space.py",
        corpus_source=f"{old}/corpus",
        corpus_uri="/data/corpus",
    )
    moved = found_in(plan, str(new))
    assert (moved.output, moved.home, moved.corpus_source) == (str(new), str(new), f"{new}/corpus")
    assert sqlite_path(moved.study_uri) == new / layout.STUDY
    assert sqlite_path(moved.tracking_uri) == new / layout.TRACKING
    assert moved.fixed == {"checkpoint": f"{new}/body.pt"}
    assert (moved.space_file, moved.corpus_uri) == (plan.space_file, "/data/corpus")
    assert found_in(moved, str(old)) == plan


def test_of_a_sweep_in_a_bucket_the_drivers_folder_stays(tmp_path: Path) -> None:
    local = make_plan(tmp_path / "home")
    plan = replace(local, output="s3://one/sweeps/evening", study_uri="postgresql://me@host/study")
    moved = found_in(plan, "s3://two/evening")
    assert moved == replace(plan, output="s3://two/evening")
    assert found_in(local, "s3://two/evening") == replace(local, output="s3://two/evening")


def test_links_lead_to_the_same_place(tmp_path: Path) -> None:
    finished = finished_sweep(tmp_path / "sweeps")
    (tmp_path / "linked").symlink_to(tmp_path / "sweeps")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "night").symlink_to(tmp_path / "sweeps" / "evening")
    for base, name in ((tmp_path / "linked", "evening"), (tmp_path / "other", "night")):
        assert load_plan(name, str(base)) == finished
        assert left_behind(Storage(base / name)) is None


# -- moved --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["a?b %20/evening", "sweeps/renamed"])
def test_a_moved_sweep_goes_on_and_trains_nothing_again(tmp_path: Path, to: str) -> None:
    user, old, new = User(tmp_path, []), tmp_path / "sweeps" / "evening", tmp_path / to
    first = user.starts("evening")
    assert not user.drive(first, events=9)
    ended = [record.job for record in StudyStore.of(first.plan).all_records(first.plan) if record.ended]
    runs = set(runs_of(first.plan))
    new.parent.mkdir(exist_ok=True)
    old.rename(new)

    again = resume(tmp_path, str(new))  # its path; the name with --output is tested in the driver's
    assert again.plan.output == again.plan.home == str(new)
    assert again.left == str(old)
    assert user.drive(again)
    assert not old.exists()
    store = StudyStore.of(again.plan)
    assert len(ended) > 1
    assert all(record.attempt == 1 for job in ended if (record := store.record(job)))
    assert runs < set(runs_of(again.plan))
    client = open_client(again.plan.tracking_uri)
    places = {client.get_run(run).info.artifact_uri for run in runs_of(again.plan)}
    assert all(place.startswith((new / layout.ARTIFACTS).as_uri()) for place in places)
    assert json.loads(Storage(new).read(layout.PLAN))["output"] == str(new)
    assert resume(tmp_path, str(new)).left is None  # from now on it lies where its plan says


def test_a_moved_sweep_in_a_bucket_is_found_in_the_new_one(tmp_path: Path, s3_bucket: str) -> None:
    finished = finished_sweep(tmp_path / "sweeps")
    there = Storage(f"{s3_bucket}/sweeps/evening")
    for path in Storage(finished.output).list():
        there.write(path, Storage(finished.output).read(path))
    gone = replace(finished, output=f"{s3_bucket}/gone/evening")
    there.write(layout.PLAN, json.dumps(gone.to_json()).encode())
    found = load_plan("evening", f"{s3_bucket}/sweeps")
    assert (found.output, found.home) == (there.uri, finished.home)
    assert run_command("status", ["evening", "--output", f"{s3_bucket}/sweeps"]) == 0
    boto3.client("s3").copy_object(
        Bucket=s3_bucket.removeprefix("s3://"),
        Key="gone/evening/plan.json",
        CopySource=f"{s3_bucket.removeprefix('s3://')}/sweeps/evening/plan.json",
    )
    with pytest.raises(UserError, match="in two places"):
        resume(tmp_path, f"{s3_bucket}/sweeps/evening")


@pytest.fixture
def moved(trained: Plan, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a sweep of trained models whose plan names a place that is gone."""
    new = here / "elsewhere" / "trained"
    shutil.copytree(trained.output, new)
    named = (new / layout.PLAN).read_text().replace(trained.output, "/gone/sweeps/trained")
    (new / layout.PLAN).write_text(named)
    monkeypatch.setenv("SPEECH_SWEEP_OUTPUT", str(new.parent))
    return new


def test_a_moved_sweep_is_read_where_it_is(
    moved: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    soundfile.write(here / "in.wav", [0.1, -0.1] * 8000, 16000)
    assert run_command("enhance", ["trained", "in.wav", "out.wav"]) == 0
    assert run_command("status", ["trained"]) == 0
    assert f"mlflow ui --backend-store-uri sqlite:///{moved}/{layout.TRACKING}" in capsys.readouterr().out
    assert run_command("clean", []) == 0
    assert "study elsewhere" not in capsys.readouterr().out
    plan = load_plan("trained", str(moved.parent))
    stored = stored_job(plan, Storage(moved), Job("tera", "final", "layer1", 1001))
    assert max(stored.reports) == plan.steps
    assert not Path("/gone").exists()


# -- copied -------------------------------------------------------------------------------------------------


def test_a_copied_sweep_is_read_with_a_note_and_goes_on_in_neither_place_by_accident(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = finished_sweep(here / "sweeps")
    copy = here / "copies" / "evening"
    shutil.copytree(finished.output, copy)
    with pytest.raises(UserError, match="in two places") as error:
        resume(here, "evening", "--output", "copies")
    assert finished.output in str(error.value)
    assert str(copy) in str(error.value)
    assert run_command("stop", ["evening", "--output", "copies"]) == 2
    assert "in two places" in capsys.readouterr().err
    assert run_command("clean", ["--output", "copies"]) == 0
    assert "in two places" in " ".join(capsys.readouterr().out.split())
    assert run_command("leaderboard", ["evening", "--output", "copies", "--format", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["output"] == str(copy)
    assert finished.output in said.err
    refuse_copy(Storage(finished.output))  # the first is not in doubt
    shutil.rmtree(finished.output)
    refuse_copy(Storage(copy))


def test_another_sweep_in_the_old_place_is_no_obstacle(here: Path) -> None:
    freeze(plan(here, "--name", "evening"))
    (here / "sweeps" / "evening").rename(here / "moved")
    freeze(plan(here, "--name", "evening"))
    assert resume(here, f"{here}/moved").plan.output == str(here / "moved")


def test_a_renamed_folder_is_listed_and_compared_under_its_own_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished_sweep(here / "sweeps")
    (here / "sweeps" / "evening").rename(here / "sweeps" / "first")
    finished_sweep(here / "sweeps")
    assert run_command("leaderboard", ["evening", "--compare", "first", "--format", "json"]) == 0
    places = [str(here / "sweeps" / name) for name in ("evening", "first")]
    assert json.loads(capsys.readouterr().out)["sweeps"] == places
    assert run_command("leaderboard", ["first", "--compare", "./sweeps/first"]) == 2
    capsys.readouterr()
    assert run_command("clean", []) == 0
    listed = capsys.readouterr().out
    assert "first" in listed
    assert "evening" in listed
