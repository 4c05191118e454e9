"""`leaderboard.py --by`: the rows split by what they were scored on, on common ground."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.commands.main import run_command
from sweep.report.breakdown import breakdown
from sweep.stored.reading import read_rows, stored_sweep
from sweep.verdict.paired_scores import paired_scores
from tests.support.sweeps.finished_sweep import finished_sweep
from tests.support.sweeps.result_rows import LABELS, SEEDS, result_rows, scores


@pytest.fixture
def base(tmp_path: Path) -> Path:
    finished_sweep(tmp_path)
    return tmp_path


def printed(base: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command("leaderboard", ["evening", "--output", str(base), *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("field", "column"), [("noise_type", "noise_type"), ("snr", "snr_db"), ("speaker", "speaker")])
def test_means_are_those_that_pandas_gives(
    base: Path, field: str, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_rows(*stored_sweep("evening", str(base)))
    tera = rows.query("group == 'tera' and metric == 'wb_pesq' and candidate != 'noisy'")
    expected: dict[Any, float] = tera.groupby([column, "candidate"])["value"].mean().to_dict()
    found = json.loads(printed(base, capsys, "--by", field, "--metric", "wb_pesq", "--format", "json"))
    assert found["metric"] == "wb_pesq"
    entries = {entry["value"]: entry for entry in found["groups"][0]["rows"]}
    for (value, candidate), mean in expected.items():
        assert entries[value]["scores"][candidate] == pytest.approx(mean)
    assert sum(entry["utterances"] for entry in entries.values()) == 12


def test_by_seed_every_row_has_all_utterances_and_the_same_noisy_input(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = list(csv.DictReader(io.StringIO(printed(base, capsys, "--by", "seed", "--format", "csv"))))
    assert {record["seed"] for record in records} == {"1001", "1002", "1003"}
    assert {record["utterances"] for record in records} == {"12"}
    tera_noisy = {r["score"] for r in records if (r["group"], r["candidate"]) == ("tera", "noisy")}
    assert len(tera_noisy) == 1


def test_an_utterance_that_one_candidate_failed_counts_for_none() -> None:
    values = scores([0.0, 1.0, 2.0, 3.0, 4.0], n_utterances=300)
    values[1, 0, 0] = np.nan  # u0000, of noise0
    paired = paired_scores(result_rows(values), "si_sdr", LABELS, SEEDS)
    counts = {entry["value"]: entry["utterances"] for entry in breakdown(paired, "noise_type")}
    assert counts == {"noise0": 99, "noise1": 100, "noise2": 100}


def test_a_candidate_with_a_failed_seed_is_left_out() -> None:
    rows = result_rows(scores([0.0, 1.0, 2.0, 3.0, 4.0]))
    failed = rows["candidate"].eq("random") & rows["seed"].eq(SEEDS[0])
    paired = paired_scores(pd.DataFrame(rows[~failed]), "si_sdr", LABELS, SEEDS)
    assert all(set(entry["scores"]) == {*LABELS, "noisy"} - {"random"} for entry in breakdown(paired, "snr"))


def test_the_table_names_the_leader_of_every_row(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(base, capsys, "--by", "noise_type")
    (babble,) = [line for line in out.splitlines() if "babble" in line][:1]
    assert babble.split()[:3] == ["babble", "6", "layer2"]
