"""Commands with a limit: core-seconds of the whole family, orphans included, and nothing left behind."""

import sys
import time
from pathlib import Path

import psutil

from benchmarks.harness.processes import run

_BUSY = "import time; end = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"
_ORPHANS = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("parent ends")
"""


def test_core_seconds_count_children_too(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_BUSY.format(seconds=1.0)!r}])"
    done = run([sys.executable, "-c", code], tmp_path / "log", limit=60)
    assert done.status == 0
    assert 0.5 < done.core_seconds < 2.5


def test_orphans_are_ended_with_their_parent(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    done = run([sys.executable, "-c", _ORPHANS], tmp_path / "log", limit=60)
    assert (done.status, done.output) == (0, "parent ends\n")
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


def test_a_command_is_killed_at_its_limit_or_when_asked(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    start = time.monotonic()
    assert run(sleep, tmp_path / "log", limit=0.5).status is None
    assert run(sleep, tmp_path / "log", limit=600, until=lambda: True).status is None
    assert time.monotonic() - start < 30


def test_an_exit_status_and_its_words_are_kept(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", "import sys; print('no', file=sys.stderr); sys.exit(3)"], tmp_path / "log", 60)
    assert (done.status, done.errors) == (3, "no\n")
