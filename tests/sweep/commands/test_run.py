"""`sweep/run.py` as a person types it: from the repository, and as the lone copy a cluster's head gets."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sweep.commands.main import run_command
from sweep.commands.run import build_parser
from sweep.driver import driver
from tests.support import REPOSITORY

RUN = REPOSITORY / "sweep" / "run.py"
# What `ray submit` keeps for itself would never reach us.
RAY_SUBMIT_OPTIONS = {
    "--start", "--stop", "--screen", "--tmux", "--args", "-n", "-p", "--cluster-name", "--no-config-cache",
    "--port-forward", "--disable-usage-stats", "--extra-screen-args", "--log-style", "--log-color", "-v", "--verbose",
}  # fmt: skip


def run(folder: Path, *arguments: str, script: Path = RUN) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SPEECH_SWEEP_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, str(script), *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_no_option_bears_a_name_that_ray_submit_takes() -> None:
    ours = {option for action in build_parser()._actions for option in action.option_strings}
    assert not ours & RAY_SUBMIT_OPTIONS


def test_list_spaces_and_help_config_print_their_pages(tmp_path: Path) -> None:
    spaces, fields = (run(tmp_path, *flags) for flags in (["--list-spaces"], ["--help-config", "norm_layers"]))
    assert spaces.returncode == fields.returncode == 0
    assert "norm_layers" in spaces.stdout
    assert "adam, muon, null" in fields.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_papers_momentum_may_be_set_and_not_twice(tmp_path: Path) -> None:
    line = ("--space", "norm_momentum", "--dry-run", "--set", "beta_m=0.99")
    assert "horizon_m=100.0   [--set]" in run(tmp_path, *line).stdout
    twice = run(tmp_path, *line, "--set", "horizon_m=50")
    assert twice.returncode == 2
    assert all(part in twice.stderr for part in ("beta_m=0.99", "horizon_m=50"))


def test_a_dry_run_shows_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "--space", "norm_layers", "--dry-run")
    assert done.returncode == 0, done.stderr
    for part in ("search", "final", "stages", "CPU-hours", "disk", "resolution", "[default]"):
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_confirms_every_setting_that_was_given(tmp_path: Path) -> None:
    flags = ("--set", "k_shape=poly", "--labelled-minutes", "0.5", "--max-hours", "2", "--async")
    done = run(tmp_path, "--space", "norm_layers", "--dry-run", *flags)
    for line in (
        'set        k_shape="poly"   [--set]',
        "labelled   0.5 min of training speech   [--labelled-minutes]",
        "hours      at most 2 of driving   [--max-hours]",
        "async      yes: not reproducible   [--async]",
        f"cache      {tmp_path / 'cache'}   [SPEECH_SWEEP_CACHE]",
    ):
        assert line in done.stdout


def test_a_dry_run_as_json_ends_with_the_plan(tmp_path: Path) -> None:
    done = run(tmp_path, "--space", "norm_layers", "--dry-run", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["space"] == "norm_layers"


def _ctrl_c(_: object) -> None:
    """What Python's own handler does; a test's process may ignore the signal."""
    raise KeyboardInterrupt


def _sigterm(_: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("stop", [_ctrl_c, _sigterm])
def test_a_start_that_is_stopped_before_its_plan_is_written_is_not_to_be_resumed(
    tmp_path: Path,
    stop: Callable[[object], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the driver is replaced, since a signal would have to reach a real one within a second of its start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(driver, "drive", stop)
    assert run_command("run", ["--space", "norm_layers"]) == 130
    assert "before anything had started: run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--space", "norm_layer"], "choose one of "),
        (["--preset", "smoke"], "--list-spaces"),
        (["--space", "norm_layers", "--corpus", "missing"], "does not exist"),
        (["--resume", "nothing"], "no sweep named 'nothing'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("value", ["0", "-1", "many", "2.5", "1000000"])
def test_a_count_is_a_whole_number_of_at_least_one(tmp_path: Path, value: str) -> None:
    done = run(tmp_path, "--space", "norm_layers", "--seeds", value)
    assert done.returncode == 2
    assert "is not a whole number from 1 to 1,000" in done.stderr
    assert "Traceback" not in done.stderr


def _recording(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.astype(np.float32), 16000)


def _folder_with(folder: Path, speakers: int, noises: int, silent: bool = False) -> Path:
    rng = np.random.default_rng(0)
    for index in range(speakers):
        loudness = 0.0 if silent and index == 0 else 0.1
        _recording(folder / f"speech/s{index}/a.wav", loudness * rng.standard_normal(16000))
    for index in range(noises):
        _recording(folder / f"noise/n{index}/a.wav", 0.1 * rng.standard_normal(16000))
    return folder


@pytest.mark.parametrize(("speakers", "noises"), [(0, 4), (1, 4), (4, 0), (4, 1)])
def test_too_little_material_is_refused_before_anything_starts(tmp_path: Path, speakers: int, noises: int) -> None:
    corpus = _folder_with(tmp_path / "raw", speakers, noises)
    done = run(tmp_path, "--space", "norm_layers", "--preset", "smoke", "--corpus", str(corpus))
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "sweeps").exists()


def test_a_silent_file_is_named_before_any_job_starts(tmp_path: Path) -> None:
    corpus = _folder_with(tmp_path / "raw", 5, 4, silent=True)
    done = run(tmp_path, "--space", "norm_layers", "--preset", "smoke", "--corpus", str(corpus))
    assert done.returncode == 2, done.stderr
    assert "s0" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere: an unwritable folder cannot be made")
def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    done = run(tmp_path, "--space", "norm_layers", "--preset", "smoke", "--output", str(locked))
    assert done.returncode == 2
    assert "cannot write" in done.stderr


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "--space", "norm_layers", "--preset", "smoke", "--output", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "file is not a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lone_copy_of_the_script_finds_the_installed_package(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(RUN, home / "run.py")
    (home / "trainables.py").write_text("raise SystemExit('a stray file was imported')")
    done = run(home, "--list-spaces", script=home / "run.py")
    assert done.returncode == 0, done.stderr
    assert "norm_layers" in done.stdout


def test_a_copy_of_another_version_is_refused(tmp_path: Path) -> None:
    text = RUN.read_text()
    version = text.split('VERSION = "')[1].split('"')[0]
    (tmp_path / "run.py").write_text(text.replace(f'"{version}"', '"0.0.0"'))
    done = run(tmp_path, "--list-spaces", script=tmp_path / "run.py")
    assert done.returncode != 0
    assert "version 0.0.0" in done.stderr


def test_a_dry_run_gives_a_range_where_later_seeds_depend_on_what_is_found(tmp_path: Path) -> None:
    done = run(tmp_path, "--space", "norm_layers", "--seeds", "auto", "--dry-run")
    assert re.search(r"final +30 to 80 jobs: 3 fresh seeds per candidate.*; 5, then 8 for those", done.stdout)
    assert re.search(r"cost .*about \d+\.\d+ to \d+\.\d+ CPU-hours", done.stdout)


def test_a_dry_run_says_the_price_of_machines(tmp_path: Path) -> None:
    done = run(tmp_path, "--space", "norm_layers", "--dry-run", "--price", "16/8")
    hours = re.search(r"about ([\d.]+) CPU-hours", done.stdout)
    price = re.search(r"price +about ([\d.]+) at 2\.0000 per core and hour", done.stdout)
    assert hours is not None
    assert price is not None
    assert float(price[1]) == pytest.approx(2 * float(hours[1]), abs=0.015)


def test_a_dry_run_on_gpus_says_the_price_of_each_tenth_of_a_second(tmp_path: Path) -> None:
    """2 groups x 5 candidates x (2 search trials + 3 seeds) x 7,200 steps x 0.1 s x half a GPU."""
    line = ("--space", "norm_layers", "--preset", "demo", "--dry-run", "--gpus-per-trial", "0.5")
    done = run(tmp_path, *line, "--steps", "7200", "--price", "1.5/8/1")
    assert "about 5 GPU-hours for every 0.1 s that a step takes on its GPU, which is not known yet" in done.stdout
    assert "50 jobs of 7,200 steps, 0.5 GPU each" in done.stdout
    assert "about 7.50 for every 0.1 s, at 1.5000 per GPU and hour" in done.stdout
    assert "like 1.21/8/1" in run(tmp_path, *line, "--price", "0.34/8").stdout


@pytest.mark.parametrize("price", ["0.34", "0.34/0", "cheap/8", "-1/8", "1/8/-1", "1/8/1/1"])
def test_a_price_names_its_machines_cores(tmp_path: Path, price: str) -> None:
    done = run(tmp_path, "--space", "norm_layers", "--dry-run", f"--price={price}")
    assert done.returncode == 2
    assert "0.34/8" in done.stderr
