"""Every further metric has its column and its verdict: in the plan by `--also`, and from stored rows by `--metric`."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from sweep.commands.main import run_command
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.typed_plan import plan
from tests.trainables.metrics.embeddings.tiny_models import body, speaker_model
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.metrics.catalogue import METRICS

FURTHER = ("estoi", "lsd", "sdr", "dnsmos", "dnsmos_sig", "dnsmos_bak", "speaker_similarity", "speech_bert_score")
ROWS = "results/rows-test.parquet"


def scored_by_all(base: Path) -> None:
    """A finished sweep whose layer 2 is the best by every further metric, by ten margins and more."""
    finished = finished_sweep(base)
    storage = Storage(finished.output)
    rows = pd.read_parquet(io.BytesIO(storage.read(ROWS)))
    decided = rows[rows["metric"] == "si_sdr"]
    more = []
    for name in FURTHER:
        sign = -1 if METRICS[name].lower else 1
        more.append(decided.assign(metric=name, value=20 + sign * 40 * METRICS[name].margin * decided["value"]))
    buffer = io.BytesIO()
    pd.concat([rows, *more]).to_parquet(buffer)
    storage.write(ROWS, buffer.getvalue())


@pytest.mark.parametrize("metric", FURTHER)
def test_stored_rows_of_a_metric_give_its_own_verdict(
    metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEECH_SWEEP_OUTPUT", raising=False)
    scored_by_all(tmp_path / "sweeps")
    assert run_command("leaderboard", ["evening", "--metric", metric, "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["metric"], result["decided_by"]) == (metric, "si_sdr")
    lower, margin = METRICS[metric].lower, METRICS[metric].margin
    for group in result["groups"]:
        assert group["winner"]["label"] == "layer2"
        expected = 20 + (-1 if lower else 1) * 40 * margin * (1.9 + 0.45)
        assert group["score"] == pytest.approx(expected, abs=2 * margin)
        best = (min if lower else max)(group["candidates"], key=lambda candidate: candidate["score"])
        assert best["label"] == "layer2"
    assert run_command("leaderboard", ["evening", "--metric", metric]) == 0
    assert METRICS[metric].title in capsys.readouterr().out


def test_also_puts_them_into_the_plan_with_their_models(tmp_path: Path) -> None:
    speaker, speech = speaker_model(tmp_path / "speaker"), body(tmp_path / "speech", 3)
    named = {"speaker_similarity": f"={speaker}", "speech_bert_score": f"={speech}"}
    made = plan(tmp_path, "--also", ",".join(name + named.get(name, "") for name in FURTHER)).plan
    assert made.also == FURTHER
    assert made.models == {"speaker_similarity": str(speaker), "speech_bert_score": str(speech)}


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("speaker_similarity", "needs a speaker model, such as microsoft/wavlm-base-plus-sv"),
        ("speaker_similarity=speech", "--also speaker_similarity=.*/speech: .* has no x-vector head"),
        ("speech_bert_score=empty", r"--also speech_bert_score=.*/empty: .*holds no config\.json"),
        ("speech_bert_score=gone/folder/model.bin", "--also speech_bert_score=.*: no checkpoint at"),
    ],
)
def test_a_model_that_cannot_serve_is_refused_before_anything_starts(
    also: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    body(tmp_path / "speech", 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        plan(tmp_path, "--also", also)
