"""docs/adding.md does what it says: its files are written out, installed by pip and used, with nothing added."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import REPOSITORY
from tests.support.packages import environment_with, install, on_path
from trainables.metrics.catalogue import METRICS
from trainables.metrics.scorer import Scorer

_BLOCK = re.compile(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the page shows."""
    folder = tmp_path_factory.mktemp("page") / "lab"
    for name, text in _BLOCK.findall((REPOSITORY / "docs" / "adding.md").read_text()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "my_lab" / "__init__.py").touch()
    return folder


@pytest.fixture(scope="module")
def lab(page: Path) -> Iterator[Path]:
    with on_path(install(page, page.with_name("installed"))) as folder:
        yield folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for name in ("speech-ann", "speech-bea", "speech-cleo", "noise-hiss", "noise-rain", "noise-hum"):
        soundfile.write(folder / f"{name}-0.wav", 0.1 * rng.standard_normal(32000), 16000)
    return folder


def run(command: str, *arguments: object, packages: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """One of our commands, with the packages of a folder installed."""
    return subprocess.run(
        [sys.executable, REPOSITORY / "sweep" / command, *map(str, arguments)],
        cwd=folder,
        env=environment_with(packages, SPEECH_SWEEP_CACHE=str(folder / "cache")),
        capture_output=True,
        text=True,
    )


def test_the_page_shows_every_file_a_package_needs(page: Path) -> None:
    names = {path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file()}
    parts = ("config", "method", "info", "space", "recipe", "metric", "__init__")
    assert names == {"my_space.py", "pyproject.toml", "test_gain.py", "upstream"} | {
        f"my_lab/{part}.py" for part in parts
    }


def test_a_space_of_ones_own_is_a_file(page: Path) -> None:
    done = run("run.py", "--space", "my_space.py", "--dry-run", "--json", packages=page, folder=page)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout.splitlines()[-1])
    assert plan["space"] == "two_layers"
    assert [candidate["label"] for candidate in plan["groups"][0]["candidates"]] == ["none", "one", "two"]


def test_a_package_brings_method_space_recipe_and_metric(lab: Path, recordings: Path, tmp_path: Path) -> None:
    question = ["--space", "gain_clip", "--preset", "smoke", "--corpus", recordings]
    done = run("run.py", *question, "--dry-run", "--json", packages=lab, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "CPU-hours" in done.stdout
    plan = json.loads(done.stdout.splitlines()[-1])
    assert plan["corpus_summary"]["splits"]["train"]["speakers"] == 1
    listed = run("run.py", "--help-config", "gain", packages=lab, folder=tmp_path)
    assert "bands" in listed.stdout


def test_its_method_passes_the_suite_of_all_methods(page: Path, lab: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            page,
            page / "test_gain.py",
        ],
        env=environment_with(lab, OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)


def test_its_recipe_prepares_a_corpus(lab: Path, recordings: Path, tmp_path: Path) -> None:
    done = run("prepare.py", "flat", recordings, tmp_path / "corpus", packages=lab, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "corpus" / "corpus.json").is_file()


def test_its_metric_scores(lab: Path) -> None:
    tone = (0.1 * np.sin(np.arange(16000) / 10)).astype(np.float32)
    (row,) = Scorer(["level_match"]).score(["a"], [tone], [tone / 10])
    assert row["value"] == pytest.approx(-20.0, abs=1e-4)
    assert METRICS["level_match"].title == "level match (dB)"


def test_an_upstream_is_one_entry(page: Path, tmp_path: Path) -> None:
    """The entry is all it takes: it is a group of every space, with its cost and its pre-training."""
    text = (page / "upstream").read_text()
    plan = (
        "import sys; from sweep.commands.main import run_command; "
        "sys.exit(run_command('run', ['--space', 'norm_layers', '--upstreams', 'tera-strong', '--dry-run', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text + plan],
        cwd=tmp_path,
        env=environment_with(tmp_path, SPEECH_SWEEP_CACHE=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "CPU-hours" in done.stdout
    (group,) = json.loads(done.stdout.splitlines()[-1])["groups"]
    assert group["group"] == {"upstream": "tera-strong"}
