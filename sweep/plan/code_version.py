"""Which code trained a model: a fingerprint of the training code, and the commit where there is one."""

import hashlib
import os
import signal
import subprocess
from functools import cache
from pathlib import Path

import trainables
from trainables.base.plugins import plugin_sources

_GIT_SECONDS = 5.0


@cache
def training_code_fingerprint() -> str:
    """Hash of what decides a job's bits besides its assignment: `trainables/`, and what installed packages add to us.

    It is of the files' contents alone, import lines included: moving or renaming a file changes it no more than
    the imports that follow the move.
    """
    files = [*Path(trainables.__file__).parent.rglob("*.py"), *plugin_sources()]
    contents = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return hashlib.sha256("".join(sorted(contents)).encode()).hexdigest()[:16]


def commit() -> str | None:
    """The repository's commit, with "+changes" where the working tree differs; None where git does not say.

    It is a note on a run, which must not cost the sweep: a git that is absent, broken, distrusts the folder's owner
    or does not answer within seconds counts as none.
    """
    folder = Path(trainables.__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return None
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, ValueError, subprocess.SubprocessError):  # ValueError: an answer that is not text
        return None


def _git(folder: Path, *arguments: str) -> str:
    """Raises OSError, ValueError or SubprocessError. In a session of its own git has no terminal to ask anything on."""
    command = ["git", "-C", str(folder), *arguments]
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=silent, stdout=subprocess.PIPE, stderr=silent, start_new_session=True
    ) as process:
        try:
            answer, _ = process.communicate(timeout=_GIT_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # with the programs that it has started
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return answer.decode().strip()
