"""A password is used and written nowhere; an SQLite address names exactly its file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.core.addresses import (
    absolute_uri,
    check_study_uri,
    check_tracking_uri,
    hide_password,
    sqlite_path,
    sqlite_uri,
)
from sweep.study.database import database_url, sqlite_file
from tests.support.sweeps.typed_plan import freeze, plan, resume
from trainables.base.errors import UserError

SECRET = "s3cr/et@x"
STUDY = f"postgresql://me:{SECRET}@db.example/study"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (STUDY, "postgresql://me:***@db.example/study"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        (
            "postgresql:///db?host=/run&password=abc&user=me",
            "postgresql:///db?host=/run&password=***&user=me",
        ),
        ("https://token@mlflow.example", "https://***@mlflow.example"),
        ("https://me:pw@mlflow.example/x", "https://***@mlflow.example/x"),
        ("sqlite:////home/me/study.db", "sqlite:////home/me/study.db"),
    ],
)
def test_an_address_is_shown_without_its_password(uri: str, shown: str) -> None:
    assert hide_password(uri) == shown
    assert hide_password(shown) == shown


def test_plan_json_holds_no_password_and_a_resume_takes_it_from_the_flag(tmp_path: Path) -> None:
    started = plan(tmp_path, "--name", "first", "--study-uri", STUDY)
    assert started.plan.study_uri == STUDY
    freeze(started)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert resume(tmp_path, "first", "--study-uri", STUDY).plan == started.plan


def test_a_resume_without_the_password_says_where_to_give_it(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "first", "--study-uri", STUDY))
    with pytest.raises(UserError, match=r"--study-uri or SPEECH_SWEEP_STUDY_URI") as error:
        resume(tmp_path, "first")
    assert SECRET not in str(error.value)


def test_another_database_on_resume_is_refused(tmp_path: Path) -> None:
    freeze(plan(tmp_path, "--name", "first", "--study-uri", STUDY))
    with pytest.raises(UserError):
        resume(tmp_path, "first", "--study-uri", "postgresql://me:other@elsewhere/study")


# -- SQLite files ----------------------------------------------------------------------------------------


@given(path=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(lambda text: text != "/"))
def test_an_sqlite_address_names_its_file_for_everyone_who_reads_it(path: str) -> None:
    file = Path("/data", path.strip("/") or "x", "study.db")
    uri = sqlite_uri(file)
    assert sqlite_path(uri) == file
    assert sqlite_file(database_url(uri)) == file
    assert sqlite_path(database_url(uri).render_as_string(hide_password=False)) == file  # as Optuna and MLflow get it
    assert hide_password(uri) == uri
    check_study_uri(uri, "--study-uri")
    check_tracking_uri(uri)


@pytest.mark.parametrize(
    ("typed", "file"),
    [
        ("sqlite:///study.db", "/me/study.db"),
        ("sqlite:///my%20runs/study.db", "/me/my runs/study.db"),
        ("sqlite:///my runs/study.db", "/me/my runs/study.db"),
        ("sqlite:////data/a%3Fb/study.db", "/data/a?b/study.db"),
    ],
)
def test_a_typed_sqlite_address_starts_from_the_users_folder(typed: str, file: str) -> None:
    assert sqlite_path(absolute_uri(typed, Path("/me"))) == Path(file)


@pytest.mark.parametrize("setting", ["--study-uri", "--tracking-uri"])
def test_a_question_mark_in_an_sqlite_address_is_refused_with_how_to_write_it(tmp_path: Path, setting: str) -> None:
    with pytest.raises(UserError, match="%3F"):
        plan(tmp_path, setting, f"sqlite:///{tmp_path}/a?b/x.db")
    assert list(tmp_path.iterdir()) == []


def test_an_output_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="UTF-8"):
        plan(tmp_path, "--output", str(tmp_path / "caf\udce9"))
