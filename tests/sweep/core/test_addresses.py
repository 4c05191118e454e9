"""A password is used and written nowhere."""

from pathlib import Path

import pytest

from sweep.core.addresses import hide_password
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
