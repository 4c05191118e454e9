"""A package that speech-sweep knows nothing of, through a whole sweep: real pip, Ray, MLflow, a kill and a resume."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sweep.stored.reading import read_rows
from tests.support import REPOSITORY
from tests.support.packages import environment_with
from tests.sweep.test_whole_sweep import Place as WholePlace
from tests.sweep.test_whole_sweep import ended_jobs, wait_until

QUESTION = ["--space", "toy_strength", "--preset", "smoke", "--flavours", "sharp"]
pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Place(WholePlace):
    """With the toy package installed for every command."""

    packages: Path

    def start(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "sweep" / command), *arguments],
            cwd=self.folder,
            env=environment_with(self.packages, SPEECH_SWEEP_CACHE=str(self.folder / "cache"), OMP_NUM_THREADS="1"),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, toy_package: Path) -> Place:
    folder = tmp_path_factory.mktemp("toy-sweep")
    material = folder / "material"
    material.mkdir()
    rng = np.random.default_rng(0)
    time = np.arange(24000) / 16000
    for number, speaker in enumerate(("ann", "bea", "cleo", "dora")):
        tone = 0.2 * np.sin(2 * np.pi * (120 + 40 * number) * time) * (np.sin(18 * time) > -0.6)
        soundfile.write(material / f"speech-{speaker}-0.wav", tone + 0.001 * rng.standard_normal(24000), 16000)
    for kind in ("hiss", "rain", "hum"):
        soundfile.write(material / f"noise-{kind}-0.wav", 0.05 * rng.standard_normal(32000), 16000)
    return Place(folder, str(material), toy_package)


@pytest.fixture(scope="module")
def answer(place: Place) -> dict[str, Any]:
    """Killed half-way, and resumed to its end."""
    process = place.start("run.py", *QUESTION, "--corpus", place.corpus, "--name", "first", "--json")
    wait_until(lambda: ended_jobs(place, "first") >= 2 or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert ended_jobs(place, "first") < 9
    done = place.run("run.py", "--resume", "first", "--json")
    assert done.status == 0, done.err
    return done.result


def test_the_dry_run_knows_its_corpus_its_cost_and_its_caution(place: Place) -> None:
    done = place.run("run.py", *QUESTION, "--corpus", place.corpus, "--dry-run")
    assert done.status == 0, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
    assert "CPU-hours" in lines["cost"]
    assert "3 pretraining" in lines["stages"]
    assert "none, strong, pretrained" in lines["sharp"]
    assert "sharp toys are no models" in lines["note"]


def test_paired_corpora_are_refused_in_its_own_words(place: Place, tmp_path: Path) -> None:
    for name in ("clean", "noisy"):
        for path in sorted(Path(place.corpus).glob("speech-*.wav")):
            target = tmp_path / "pairs" / name / f"{path.stem.split('-')[1]}_0.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    done = place.run("run.py", *QUESTION, "--corpus", str(tmp_path / "pairs"), "--dry-run")
    assert done.status == 2
    assert "holds pairs, and space toy_strength mixes by itself" in done.err


def test_it_ends_in_an_answer_over_all_candidates(answer: dict[str, Any]) -> None:
    (group,) = answer["groups"]
    assert group["group"] == {"flavour": "sharp"}
    assert [candidate["label"] for candidate in group["candidates"]] == ["none", "strong", "pretrained"]
    assert all(candidate["n_seeds"] == 2 for candidate in group["candidates"])
    assert answer["trials"] == {"complete": 9, "pruned": 0, "failed": 0}
    assert answer["collapse"] == {"watched": 9, "alarmed": []}


def test_its_metric_has_a_row_for_every_clip(place: Place, answer: dict[str, Any]) -> None:
    rows = read_rows(place.plan("first"), place.storage("first"))
    assert set(rows[rows["metric"] == "toy_level"]["status"]) == {"ok"}
    shown = place.run("leaderboard.py", "first", "--metric", "toy_level", "--format", "json")
    assert shown.status == 0, shown.err
    assert json.loads(shown.out)["metric"] == "toy_level"


def test_what_its_method_measures_has_rows_and_a_verdict(place: Place, answer: dict[str, Any]) -> None:
    rows = read_rows(place.plan("first"), place.storage("first"))
    measured = rows[rows["metric"] == "toy_filter_distance"]
    assert set(measured["status"]) == {"ok"}
    assert (measured["value"] > 0).all()
    assert set(measured["candidate"]) == {"none", "strong", "pretrained"}  # the noisy input has no such rows
    assert len(measured) == len(rows[(rows["metric"] == "toy_level") & (rows["candidate"] != "noisy")])
    shown = place.run("leaderboard.py", "first", "--metric", "toy_filter_distance", "--format", "json")
    assert shown.status == 0, shown.err
    (group,) = json.loads(shown.out)["groups"]
    assert group["noisy"]["score"] is None
    means = measured.groupby("candidate")["value"].mean()
    for candidate in group["candidates"]:
        assert candidate["score"] == pytest.approx(means[candidate["label"]])
    for command in (["--metric", "toy_filter_distance"], ["--metric", "toy_filter_distance", "--by", "noise_type"]):
        assert place.run("leaderboard.py", "first", *command).status == 0


def test_jobs_trained_again_in_one_go_have_the_same_bits(place: Place, answer: dict[str, Any]) -> None:
    job = place.plan("first").final_jobs("sharp")[-1]
    done = place.run("replay.py", "first", job.path)
    assert (done.status, done.out.splitlines()[-1]) == (0, f"equal: {job.path}")


def test_its_curve_is_in_mlflow_with_those_of_every_method(place: Place, answer: dict[str, Any]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(place.plan("first").tracking_uri)
    (experiment,) = client.search_experiments(filter_string="name = 'speech-sweep/toy_strength'")
    jobs = "tags.`speech_sweep.kind` = 'final' and tags.`speech_sweep.candidate` = 'strong'"
    run, *_ = client.search_runs([experiment.experiment_id], filter_string=jobs)
    curve = client.get_metric_history(run.info.run_id, "strength")
    # 0.5 falls to 0 over 3/4 of the budget of 8 steps; a round ends with step 1, 3, 5 or 7.
    assert [(point.step, round(point.value, 6)) for point in curve] == [
        (2, 0.416667),
        (4, 0.25),
        (6, 0.083333),
        (8, 0.0),
    ]
    assert {"score", "loss"} <= set(run.data.metrics)
    assert "loss_mse" not in run.data.metrics


def test_the_report_shows_its_metric(place: Place, answer: dict[str, Any]) -> None:
    storage = place.storage("first")
    names = {Path(path).name for path in storage.list("report")}
    assert names >= {"index.html", "listen-sharp.html", "scores.png", "leaderboard.md"}
    assert "level match (dB)" in storage.read("report/leaderboard.md").decode()


def test_without_the_package_the_sweep_is_refused_by_name(place: Place, answer: dict[str, Any]) -> None:
    plain = WholePlace(place.folder, place.corpus)
    done = plain.run("run.py", "--resume", "first")
    assert done.status == 2
    assert "training code" in done.err or "unknown space 'toy_strength'" in done.err
