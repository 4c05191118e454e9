"""The commit is a note on a run: whatever git does or does not do, the sweep goes on without it."""

import os
import subprocess
import time
from pathlib import Path

import pytest

import trainables
from sweep.plan import code_version
from sweep.plan.code_version import commit

GITS = {
    "hangs": "sleep 60",
    "hangs in a child": "sleep 60 & wait",
    "asks for a password": 'read answer < /dev/tty && echo "$answer"',
    "waits for an answer": "read answer; sleep 60",
    "fails": "echo 'fatal: detected dubious ownership in repository' >&2; exit 128",
    "is killed": "kill -9 $$",
    "answers in no text": "printf '\\377\\376'",
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that holds our code."""
    folder = tmp_path / "ours"
    (folder / "trainables").mkdir(parents=True)
    (folder / "trainables" / "__init__.py").touch()
    monkeypatch.setattr(trainables, "__file__", str(folder / "trainables" / "__init__.py"))
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e@e"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


def test_the_commit_and_whether_the_files_differ(checkout: Path) -> None:
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=checkout).decode()[:12]
    assert commit() == head
    (checkout / "trainables" / "__init__.py").write_text("changed = True")
    assert commit() == f"{head}+changes"


def test_no_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainables, "__file__", str(tmp_path / "trainables" / "__init__.py"))
    assert commit() is None


@pytest.mark.parametrize("behaviour", GITS)
def test_a_git_that_does_not_answer_is_none(
    behaviour: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\n{GITS[behaviour]}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(code_version, "_GIT_SECONDS", 0.5)
    started = time.monotonic()
    assert commit() is None
    assert time.monotonic() - started < 10


def test_no_git_at_all_is_none(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() is None
