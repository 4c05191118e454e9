"""`--also wer=PLACE` on a whole sweep: rows, columns and a verdict of their own, by a tiny recogniser."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoFeatureExtractor, AutoModelForCTC, Wav2Vec2CTCTokenizer, pipeline

from sweep.frames import utterance_scores
from sweep.plan.plan import Plan
from tests.support import REPOSITORY
from tests.support.methods.tiny_corpus import make_tiny_corpus
from tests.support.recogniser import tiny_recogniser
from trainables.audio.corpus.corpus import Corpus
from trainables.evaluation import evaluation_clips
from trainables.metrics.catalogue import METRICS
from trainables.metrics.recognition.error_rates import normalized

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

QUESTION = ("--space", "norm_layers", "--preset", "smoke", "--upstreams", "tera", "--samples", "1", "--seeds", "2")


def command(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SPEECH_SWEEP_")}
    environment = {**ours, "SPEECH_SWEEP_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "sweep" / script), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep "mine"."""
    folder = tmp_path_factory.mktemp("wer")
    corpus = make_tiny_corpus(folder / "material").uri
    tiny_recogniser(folder / "tiny")
    done = command(
        folder, "run.py", *QUESTION, "--corpus", corpus, "--name", "mine", "--also", "wer=tiny,cer", "--json"
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return Plan.from_json(json.loads((folder / "sweeps" / "mine" / "plan.json").read_text()))


def test_rows_of_the_noisy_input_are_those_of_transformers_and_jiwer(folder: Path, plan: Plan) -> None:
    rows = utterance_scores("mine", output=str(folder / "sweeps"))
    reads: Any = pipeline(
        "automatic-speech-recognition",
        model=AutoModelForCTC.from_pretrained(folder / "tiny"),
        tokenizer=Wav2Vec2CTCTokenizer.from_pretrained(folder / "tiny"),
        feature_extractor=AutoFeatureExtractor.from_pretrained(folder / "tiny"),
    )

    def reading(audio: np.ndarray) -> str:
        return normalized(re.sub(r"<[^>]*>", "", reads(audio.copy())["text"]))

    clips = evaluation_clips(Corpus.open(plan.corpus_uri, cache=folder / "cache"), plan.data, "test")
    for metric, rate in (("wer_own", jiwer.wer), ("cer_own", jiwer.cer)):
        found = rows[rows["candidate"].eq("noisy") & rows["metric"].eq(metric)].set_index("utterance")
        assert set(found.index) == {clip.utterance for clip in clips}
        for clip in clips:
            reference = reading(clip.clean)
            row = found.loc[clip.utterance]
            assert row["status"] == "ok"
            assert row["value"] == pytest.approx(100 * rate(reference, reading(clip.noisy)))
            assert row["weight"] == len(reference.split() if metric == "wer_own" else reference)


def test_the_column_says_whose_reading_the_reference_is(folder: Path) -> None:
    result: dict[str, Any] = json.loads((folder / "sweeps" / "mine" / "result.json").read_text())
    scores = {entry["candidate"]: entry["scores"] for entry in result["metrics"] if not entry["published"]}
    assert {"wer_own", "cer_own"} <= set(scores["noisy"])
    page = (folder / "sweeps" / "mine" / "report" / "leaderboard.md").read_text()
    assert METRICS["wer_own"].title in page
    assert METRICS["wer_own"].pooled in page
    rows = utterance_scores("mine", output=str(folder / "sweeps"))
    rates = {entry["candidate"]: entry["rates"] for entry in result["corpus_rates"]}
    for label in ("noisy", "none", "layer2"):
        mine = rows[rows["candidate"].eq(label) & rows["metric"].eq("wer_own")]
        assert rates[label]["wer_own"] == pytest.approx(np.average(mine["value"], weights=mine["weight"]))


def test_the_leaderboard_gives_a_verdict_by_error_rate(folder: Path) -> None:
    shown = command(folder, "leaderboard.py", "mine", "--metric", "wer", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    result = json.loads(shown.stdout)
    assert (result["metric"], result["decided_by"]) == ("wer_own", "si_sdr")
    (group,) = result["groups"]
    assert group["verdict"] in ("winner", "tie")
    assert group["lower"]
    scores = {row["label"]: row["score"] for row in group["candidates"]}
    base, leader = group["baseline"], group["leader"]["label"]
    for row in group["candidates"]:
        if row["label"] != base:
            assert row["gain"] == pytest.approx(scores[base] - row["score"])
        if row["label"] != leader:
            assert row["behind_leader"] == pytest.approx(row["score"] - scores[leader])
    assert group["noisy"]["gain"] == pytest.approx(group["noisy"]["score"] - scores[leader])


def test_a_resume_repeats_it_and_another_recogniser_is_refused(folder: Path) -> None:
    again = command(folder, "run.py", "--resume", "mine", "--also", "wer=tiny", "--dry-run")
    assert again.returncode == 0, again.stderr
    assert str(folder / "tiny") in again.stdout
    tiny_recogniser(folder / "other", seed=1)
    other = command(folder, "run.py", "--resume", "mine", "--also", "wer=other")
    assert other.returncode == 2
    assert len(other.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("also", ["wer", "wer=gone/", "wer=material", "si_sdr=tiny", "mos=tiny"])
def test_what_cannot_serve_is_one_line_and_leaves_nothing(folder: Path, also: str) -> None:
    done = command(
        folder,
        "run.py",
        *QUESTION,
        "--corpus",
        str(folder / "material" / "corpus"),
        "--name",
        "refused",
        "--also",
        also,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "sweeps" / "refused").exists()


def test_weights_without_a_head_are_refused_before_the_first_job(folder: Path) -> None:
    """The folder's small files are in order, so only loading it shows what it lacks."""
    place = tiny_recogniser(folder / "headless")
    weights = load_file(place / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    corpus = str(folder / "material" / "corpus")
    done = command(folder, "run.py", *QUESTION, "--corpus", corpus, "--name", "late", "--also", "wer=headless")
    assert done.returncode == 2
    assert "lm_head.weight" in done.stderr.strip().splitlines()[-1]
    assert not (folder / "sweeps" / "late").exists()
