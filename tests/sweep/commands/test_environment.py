"""The machine is not ours: its environment is honoured, overruled or refused in a line, before anything is made."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sweep.commands.main import run_command
from tests.support import REPOSITORY

RUN = ["--space", "norm_layers", "--preset", "smoke", "--upstreams", "tera"]
OURS = ("SPEECH_SWEEP_", "MLFLOW_", "AWS_", "RAY_")


def run_py(folder: Path, environ: Mapping[str, str], *flags: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "sweep" / "run.py"), *flags],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(REPOSITORY), **environ},
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )


# What a plan does not depend on.
HARMLESS = {
    "empty variables": {
        **{f"SPEECH_SWEEP_{name}": "" for name in ("CORPUS", "PRESET", "OUTPUT", "STUDY_URI", "CACHE", "NOTIFY")},
        "MLFLOW_TRACKING_URI": "",
        "RAY_ADDRESS": "",
        "CUDA_VISIBLE_DEVICES": "",
        "TMPDIR": "",
    },
    "text in ASCII, a terminal without columns": {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "TERM": "nonsense",
        "COLUMNS": "0",
        "LINES": "-1",
        "NO_COLOR": "1",
        "TZ": "Mars/Olympus",
    },
    "an unknown locale, Latin-1 output": {"LC_ALL": "xx_YY.UTF-9", "PYTHONIOENCODING": "latin-1", "COLUMNS": "²"},
    "folders that are not there": {
        "TMPDIR": "/nonexistent",
        "HF_HOME": "/proc/nowhere",
        "TORCH_HOME": "/proc/nowhere",
        "HOME": "/proc/nowhere",
        "XDG_CACHE_HOME": "/proc/nowhere",
        "MATPLOTLIBRC": "/nonexistent",
        "MPLBACKEND": "nonsense",
        "PYTHONSTARTUP": "/nonexistent",
        "PYTHONPATH": f"{REPOSITORY}::/nonexistent",
    },
    "a crowded neighbourhood": {
        **dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"), "http://127.0.0.1:9"),
        "RAY_ADDRESS": "local",
        "SLURM_JOB_ID": "7",
        "SLURM_NTASKS": "64",
        "RANK": "3",
        "WORLD_SIZE": "8",
        "MLFLOW_RUN_ID": "0" * 32,
        "AWS_PROFILE": "nobody",
        "AWS_REGION": "mars",
        "AWS_ENDPOINT_URL": "nonsense",
        "OMP_NUM_THREADS": "many",
        "MKL_NUM_THREADS": "0",
        "OMP_PROC_BIND": "true",
        "CUDA_VISIBLE_DEVICES": "void",
    },
}


@pytest.mark.parametrize("case", HARMLESS)
def test_a_plan_does_not_depend_on_it(case: str, tmp_path: Path) -> None:
    done = run_py(tmp_path, HARMLESS[case], *RUN, "--name", "s", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "preset     smoke" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_home_folder_can_plan(tmp_path: Path) -> None:
    done = run_py(tmp_path, {"HOME": "/", "USER": "", "LOGNAME": ""}, *RUN, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "cache      /.cache/speech-sweep" in done.stdout


# What a start cannot do without, and the word of the line that names it.
REFUSED = {
    "home folder": ({"HOME": "/proc/nowhere"}, "SPEECH_SWEEP_CACHE"),
    "cache": ({"SPEECH_SWEEP_CACHE": "/dev/null"}, "SPEECH_SWEEP_CACHE"),
    "cache of no one": ({"SPEECH_SWEEP_CACHE": "~nobody-here/cache"}, "~nobody-here"),
    "output of no one": ({"SPEECH_SWEEP_OUTPUT": "~+/sweeps"}, "~+"),
    "output": ({"SPEECH_SWEEP_OUTPUT": "/proc/nowhere/sweeps"}, "--output"),
    "study": ({"SPEECH_SWEEP_STUDY_URI": "sqlite:////proc/nowhere/study.db"}, "SPEECH_SWEEP_STUDY_URI"),
    "study's server": ({"SPEECH_SWEEP_STUDY_URI": "postgresql://u@127.0.0.1:9/d"}, "--study-uri"),
    "tracking": ({"MLFLOW_TRACKING_URI": "databricks"}, "MLFLOW_TRACKING_URI"),
    "cluster": ({"RAY_ADDRESS": "127.0.0.1:9"}, "RAY_ADDRESS"),
    "cluster of no form": ({"RAY_ADDRESS": "ray://somewhere:10001"}, "RAY_ADDRESS"),
    "cluster that is not here": ({"RAY_ADDRESS": "auto", "RAY_TMPDIR": "/nonexistent"}, "RAY_ADDRESS"),
    "encryption": ({"SPEECH_SWEEP_S3_ENCRYPTION": "none", "SPEECH_SWEEP_OUTPUT": "s3://b/x"}, "s3://b/x"),
    "corpus": ({"SPEECH_SWEEP_CORPUS": "~0"}, "~0"),
    "notification": ({"SPEECH_SWEEP_NOTIFY": "nowhere"}, "--notify"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_start_is_refused_in_a_line_and_leaves_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: every start imports the whole driver."""
    environ, named = REFUSED[case]
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if "HOME" not in environ:
        monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert run_command("run", RUN) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert [line.partition(":")[0] for line in lines] == ["error"]
    assert named in lines[0]
    assert list(folder.iterdir()) == []


def test_a_folder_without_locks_is_refused_in_a_line(tmp_path: Path) -> None:
    """As a network file system without a lock service answers, in the whole process."""
    (tmp_path / "sitecustomize.py").write_text(
        "import errno, fcntl, os\n"
        "def flock(file, how):\n    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))\n"
        "fcntl.flock = flock\n"
    )
    user = tmp_path / "user"
    user.mkdir()
    done = run_py(user, {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}", "SPEECH_SWEEP_CACHE": str(tmp_path / "cache")}, *RUN)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: cannot lock {tmp_path}/cache/locks/in-use.lock")
    assert "Traceback" not in done.stderr
    assert list(user.iterdir()) == []


@pytest.mark.parametrize("script", ["run", "status"])
def test_a_folder_that_is_gone_is_one_line(script: str, tmp_path: Path) -> None:
    arguments = RUN if script == "run" else ["evening"]
    code = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(REPOSITORY / "sweep" / f"{script}.py"), *arguments],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the current folder cannot be used")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_a_whole_sweep_in_a_hostile_environment(tmp_path: Path) -> None:
    """All at once: threads pinned, ASCII, a git that hangs, 256 open files, a mask, no user's folder or settings."""
    user, tools = tmp_path / "user", tmp_path / "tools"
    user.mkdir()
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nsleep 300\n")
    (tools / "git").chmod(0o755)
    together = {name: value for case in HARMLESS.values() for name, value in case.items()}
    environ = together | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SPEECH_SWEEP_CACHE": str(tmp_path / "cache"),
        "MLFLOW_TRACKING_URI": "",
        "OMP_PLACES": "cores",
        "LC_ALL": "C",
        "PYTHONPATH": f"{REPOSITORY}::/nonexistent",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    script = f"umask 077; ulimit -n 256; exec {sys.executable} {REPOSITORY}/sweep/run.py {' '.join(RUN)} --name s"
    done = subprocess.run(["bash", "-c", script], cwd=user, env={**kept, **environ}, capture_output=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"the report lacks" not in done.stderr
    assert [path.name for path in user.iterdir()] == ["sweeps"]
    report = user / "sweeps" / "s" / "report"
    assert {"index.html", "scores.png", "curves.png", "listen-tera.html"} <= {path.name for path in report.iterdir()}
    for path in report.glob("*.html"):
        assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
