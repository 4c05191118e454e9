"""`leaderboard.py --compare`: two sweeps side by side, with an interval only where scores can be paired."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweep.commands.main import run_command
from sweep.report.comparison import Scored, compare
from tests.support.sweeps.finished_sweep import finished_sweep, rows_on_test
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.storage.storage import Storage

LIFT = 0.25  # dB, of layer1 in the second sweep


@pytest.fixture
def first(tmp_path: Path) -> Scored:
    plan = make_plan(tmp_path / "evening", name="evening")
    return Scored(plan, rows_on_test(plan))


@pytest.fixture
def second(tmp_path: Path) -> Scored:
    """The same sweep with layer1 better by LIFT and some chance."""
    plan = make_plan(tmp_path / "morning", name="morning", steps=400)
    rows = rows_on_test(plan)
    lifted = rows["candidate"].eq("layer1")
    chance = 0.05 * np.random.default_rng(1).standard_normal(int(lifted.sum()))
    rows.loc[lifted, "value"] += LIFT + chance
    return Scored(plan, rows)


def candidates(found: dict[str, Any], group: int = 0) -> dict[str, dict[str, Any]]:
    return {row["label"]: row for row in found["groups"][group]["candidates"]}


def test_what_did_not_change_differs_by_nothing(first: Scored, second: Scored) -> None:
    found = compare(first, second, "si_sdr")
    assert found["paired"]
    row = candidates(found)["layer2"]
    assert row["difference"] == pytest.approx(0, abs=1e-12)
    assert row["interval"] == pytest.approx((0, 0), abs=1e-9)


def test_a_change_is_found_with_its_sign_and_an_interval_that_holds_it(first: Scored, second: Scored) -> None:
    row = candidates(compare(first, second, "si_sdr"))["layer1"]
    assert row["difference"] == pytest.approx(row["scores"][0] - row["scores"][1])
    assert row["difference"] < 0
    low, high = row["interval"]
    assert low < -LIFT < high < 0
    assert row["p"] < 0.05


def test_the_interval_is_that_of_the_paired_differences(first: Scored, second: Scored) -> None:
    """Chance here is independent in every cell, so a plain paired t interval is of about the same width."""
    own, other = (
        scored.rows.query("group == 'tera' and candidate == 'layer1' and metric == 'si_sdr'")["value"]
        for scored in (first, second)
    )
    differences = own.to_numpy() - other.to_numpy()
    row = candidates(compare(first, second, "si_sdr"))["layer1"]
    assert row["difference"] == pytest.approx(differences.mean())
    half = stats.sem(differences) * stats.t.ppf(0.975, len(differences) - 1)
    assert (row["interval"][1] - row["interval"][0]) / 2 == pytest.approx(half, rel=1.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"corpus_fingerprint": "another"}, "the corpora differ"),
        ({"seeds": (1001, 2001, 3001)}, "fewer than two seeds are in both"),
    ],
)
def test_what_cannot_be_paired_has_no_interval_and_says_why(
    first: Scored, second: Scored, changes: dict[str, Any], reason: str
) -> None:
    found = compare(first, Scored(replace(second.plan, **changes), second.rows), "si_sdr")
    assert found["not_paired_because"] == reason
    assert all(row["interval"] is None for row in candidates(found).values())
    if "corpus_fingerprint" in changes:
        assert candidates(found)["layer1"]["difference"] == pytest.approx(-LIFT, abs=0.05)


def test_another_test_set_of_the_same_corpus_is_noticed(first: Scored, second: Scored) -> None:
    shifted = second.rows.copy()
    shifted.loc[shifted["candidate"].eq("noisy"), "value"] += 1e-6
    assert compare(first, Scored(second.plan, shifted), "si_sdr")["not_paired_because"] == "the test sets differ"


def test_a_candidate_only_one_sweep_has_keeps_its_row(first: Scored, second: Scored) -> None:
    rest = Scored(second.plan, pd.DataFrame(second.rows[second.rows["candidate"] != "layer3"]))
    row = candidates(compare(first, rest, "si_sdr"))["layer3"]
    assert row["scores"][0] is not None
    assert (row["scores"][1], row["difference"], row["interval"]) == (None, None, None)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("evening", "morning"):
        finished_sweep(tmp_path, name)
    return tmp_path


def test_the_command_names_both_sweeps_and_what_their_plans_differ_in(
    base: Path, second: Scored, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Storage(base / "morning")
    storage.write("plan.json", json.dumps(second.plan.to_json()).encode())
    content = io.BytesIO()
    second.rows.to_parquet(content)
    storage.write("results/rows-test.parquet", content.getvalue())
    assert run_command("leaderboard", ["evening", "--compare", "morning", "--output", str(base)]) == 0
    out = capsys.readouterr().out
    assert "evening   morning   difference" in out
    assert "The two plans differ in: steps." in out


@pytest.mark.parametrize(
    ("other", "message"), [("evening", "that is the sweep itself"), ("noon", "no sweep named 'noon'")]
)
def test_bad_input_is_one_line(base: Path, other: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("leaderboard", ["evening", "--compare", other, "--output", str(base)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
