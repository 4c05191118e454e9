"""Every command runs as a lone script, and its `--help` teaches by example without loading anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY

HEAVY = ("torch", "ray", "mlflow", "pandas")


@pytest.mark.parametrize("command", ["run", "leaderboard", "enhance", "replay", "clean"])
def test_help_has_examples(command: str, tmp_path: Path) -> None:
    script = REPOSITORY / "sweep" / f"{command}.py"
    done = subprocess.run([sys.executable, script, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"python sweep/{command}.py" in done.stdout.split("examples")[1]


@pytest.mark.parametrize("command", ["leaderboard", "enhance", "replay", "clean"])
def test_help_is_light(command: str) -> None:
    code = (
        f"import sweep.commands.{command}, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
