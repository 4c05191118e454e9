"""Locks between processes, and file systems that have none."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import REPOSITORY
from trainables.base.cache import freeing_cache, require_cache, using_cache
from trainables.base.errors import UserError
from trainables.base.locked import locked

NOW = fcntl.LOCK_EX | fcntl.LOCK_NB
HOLDER = """
import sys, time
from pathlib import Path
from trainables.base.locked import locked
with locked(Path(sys.argv[1]), "remedy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "made" / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            locked(path, "remedy", NOW).__enter__()
        holder.kill()
        holder.wait()
    with locked(path, "remedy", NOW):
        pass


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """`flock` as a file system answers that has none."""

    def refuse(file: Any, how: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


REFUSALS = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO]


@pytest.mark.parametrize("without_locks", REFUSALS, indirect=True, ids=errno.errorcode.get)
@pytest.mark.usefixtures("without_locks")
def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"lock: its file system has no locks \(.*\); go elsewhere"):
        locked(tmp_path / "lock", "go elsewhere").__enter__()
    assert not (tmp_path / "lock").exists()
    with pytest.raises(UserError, match="give SPEECH_SWEEP_CACHE a folder on a local disk"):
        require_cache()
    with pytest.raises(UserError, match="SPEECH_SWEEP_CACHE"):
        freeing_cache().__enter__()
    with using_cache():  # what only reads the cache goes on
        pass


@pytest.mark.parametrize("folder", ["/proc/self/cache", "/dev/null/cache", "/dev/full/cache"])
def test_a_cache_that_cannot_be_written_is_one_line(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", folder)
    with pytest.raises(UserError, match=f"cannot lock {folder}/locks.*SPEECH_SWEEP_CACHE"):
        require_cache()
    with using_cache():
        pass


def test_a_usable_cache_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECH_SWEEP_CACHE", str(tmp_path / "cache"))
    with using_cache():
        before = time.monotonic()
        require_cache()  # also while others use it
        assert time.monotonic() - before < 5
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["locks", "in-use.lock"]
