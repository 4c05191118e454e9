"""What candidates of several methods cost: from records and measurements to tables, lines and columns."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from search_spaces.space import Candidate
from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.report import cells
from sweep.report.findings.costs import RunningCost, costs
from sweep.report.findings_cells import cost_cells, cost_lines
from sweep.report.leaderboard_files import leaderboard_frame
from sweep.report.output_formats import to_csv
from sweep.report.result_tables import cost_view, result_view
from sweep.study.study import JobRecord, Proposal, Report
from sweep.verdict.result import CandidateCost, Result, records
from tests.support.sweeps.finished_sweep import result_of, rows_on_test
from tests.support.sweeps.small_sweep import make_plan
from trainables.job.assignment import DataSettings

CONTRASTIVE = Candidate(label="byol", config={"target": "byol"}, method="contrastive_se")
RUNNING: dict[str, RunningCost] = {
    "none": {
        "parameters": 1_234_567,
        "mac_per_second": 2.5e9,
        "uncounted": [],
        "cpu": "Some CPU",
        "real_time_factor": 0.125,
        "real_time_factor_spread": 0.01,
    },
    "byol": {
        "parameters": 999,
        "mac_per_second": None,
        "uncounted": ["strange_mm"],
        "cpu": "Some CPU",
        "real_time_factor": 0.5,
        "real_time_factor_spread": 0.25,
    },
}


def mixed_plan(folder: Path, **changes: Any) -> Plan:
    plan = make_plan(folder, data=DataSettings(batch=4, crop_seconds=1.5), **changes)
    group = plan.groups[0]
    candidates = (plan.candidate("tera", "none"), CONTRASTIVE)
    return replace(plan, groups=(replace(group, candidates=candidates),))


def finalist(label: str, seed: int, *seconds: float | None, state: Any = "complete") -> JobRecord:
    reports = tuple(
        Report(number, 1.0, {} if each is None else {"seconds_train": each, "seconds_score": 100.0}, number)
        for number, each in enumerate(seconds, start=1)
    )
    return JobRecord(Job("tera", "final", label, seed), state, 1, 0, Proposal({}), started_ms=0, reports=reports)


def found(plan: Plan, *records: JobRecord, running: Any = None) -> dict[str, CandidateCost]:
    entries = costs(plan, records, {"tera": RUNNING} if running is None else running)
    return {entry["candidate"]: entry for entry in entries}


def test_training_is_the_median_over_seeds_of_the_rounds_seconds(tmp_path: Path) -> None:
    records = [
        finalist("none", 1001, 1.0, 2.0),
        finalist("none", 1002, 10.0, 20.0),
        finalist("none", 1003, 4.0, 3.0),
        finalist("none", 1004, 500.0, state="failed"),
        finalist("byol", 1001, 1.0, None),
    ]
    of = found(mixed_plan(tmp_path), *records)
    assert of["none"]["machine"]["core_seconds"] == 7.0
    assert of["byol"]["machine"]["core_seconds"] is None  # a round whose time is not known
    assert of["none"]["machine"]["gpu_seconds"] is None
    assert found(mixed_plan(tmp_path, threads=2), *records)["none"]["machine"]["core_seconds"] == 14.0


def test_on_a_gpu_it_is_the_gpus_time(tmp_path: Path) -> None:
    of = found(mixed_plan(tmp_path, gpus_per_trial=0.25), finalist("none", 1001, 3.0, 5.0))
    machine = of["none"]["machine"]
    assert (machine["core_seconds"], machine["gpu_seconds"]) == (None, 2.0)


def test_audio_is_counted_by_each_methods_own_settings(tmp_path: Path) -> None:
    """Steps x batch x crop; of a contrastive batch all views."""
    of = found(mixed_plan(tmp_path), finalist("none", 1001, 1.0), finalist("byol", 1001, 1.0))
    assert {label: entry["audio_seconds"] for label, entry in of.items()} == {"none": 1200.0, "byol": 2400.0}
    assert {label: entry["method"] for label, entry in of.items()} == {
        "none": "normalized_ssl",
        "byol": "contrastive_se",
    }
    assert of["byol"]["trials"] == 2


def test_what_could_not_be_measured_is_unknown_and_the_rest_is_there(tmp_path: Path) -> None:
    of = found(mixed_plan(tmp_path), finalist("none", 1001, 1.0), running={})
    assert of["none"]["parameters"] is None
    assert of["none"]["machine"]["real_time_factor"] is None
    assert of["none"]["machine"]["core_seconds"] == 1.0
    json.dumps(of, allow_nan=False)


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """Of three candidates of the finished sweep, as if they were of several methods."""
    plan = make_plan(tmp_path)
    found = result_of(plan, rows_on_test(plan))
    found["groups"] = found["groups"][:1]
    base: CandidateCost = {
        "group": "tera",
        "candidate": "none",
        "method": "normalized_ssl",
        "audio_seconds": 1200.0,
        "trials": 2,
        "parameters": 1_234_567,
        "mac_per_second": 2.5e9,
        "uncounted": [],
        "machine": {
            "cpu": "Some CPU",
            "real_time_factor": 0.125,
            "real_time_factor_spread": 0.01,
            "core_seconds": 31.25,
            "gpu_seconds": None,
        },
    }
    slow = {**base["machine"], "real_time_factor": 0.5, "core_seconds": 62.5}
    found["costs"] = [
        base,
        {**base, "candidate": "layer2", "parameters": 999, "mac_per_second": None, "uncounted": ["strange_mm"]},
        {**base, "candidate": "layer1", "method": "waveform_se", "parameters": 12_092_033, "machine": slow},
    ]
    return cast(Result, found | {"metrics": []})


def test_the_table_has_the_score_and_each_known_cost_best_first(result: Result) -> None:
    ((title, header, rows),) = cost_cells(result)
    assert title == "Costs, tera"
    assert header[3:] == [cells.COST_TITLES[name] for name in list(cells.COST_TITLES)[:4]]  # no GPU
    assert [row[0] for row in rows] == ["layer2", "layer1", "none"]
    assert rows[0][3:] == ["999", "-", "0.125 ± 0.005", "31.2"]
    assert rows[1][1:2] + rows[1][3:] == ["waveform_se", "12.1 M", "2.5 G", "0.5 ± 0.005", "62.5"]
    assert any("strange_mm" in line for line in cost_lines(result["costs"]))


def test_the_verdict_says_what_was_the_same_and_what_was_not(result: Result) -> None:
    same, other = cells.comparisons(result)
    assert same.startswith("tera: the same for all: ")
    parts = ["seconds of noisy audio in training (1,200)", "search trials (2)", "seeds (3)", "test clips (12)"]
    assert all(part in same for part in parts)
    assert "parameters (999 to 12.1 M)" in other
    assert "core-seconds of training (31.2 to 62.5)" in other
    assert "seeds (" not in other
    assert {same, other} < set(cells.footers(result))
    unequal = [{**row, "n_seeds": 2} if row["label"] == "layer1" else row for row in result["groups"][0]["candidates"]]
    result["groups"][0]["candidates"] = unequal  # type: ignore[typeddict-item]
    same, other = cells.comparisons(result)
    assert "seeds (2 to 3)" in other
    assert " seeds" not in same.replace("seconds", "")


def test_records_frames_and_files_have_the_numbers_unrounded(result: Result) -> None:
    by_label = {record["candidate"]: record for record in records(result)}
    assert by_label["none"]["parameters"] == 1_234_567
    assert by_label["layer1"]["core_seconds"] == 62.5
    assert by_label["random"]["parameters"] is None  # not measured: the column is there all the same
    frame = leaderboard_frame(result)
    assert frame[frame.candidate == "layer1"].iloc[0].parameters == 12_092_033
    view = result_view(result, "csv")
    assert "parameters" in to_csv(view).splitlines()[0].split(",")
    for form in ("table", "markdown", "latex"):
        titles = [title for title, _, _ in result_view(result, form).tables]
        assert ("Costs, tera" in titles) == (form != "table")
    assert [title for title, _, _ in cost_view(result).tables] == ["Costs, tera"]


def test_without_costs_nothing_is_shown(result: Result) -> None:
    del result["costs"]
    assert list(cost_cells(result)) == []
    assert cells.comparisons(result) == []
    assert "parameters" not in records(result)[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(999, "999"), (999.6, "1 k"), (132_113, "132 k"), (12_092_033, "12.1 M"), (2.53e9, "2.53 G"), (0.01234, "0.0123")],
)
def test_amounts_have_three_digits(value: float, shown: str) -> None:
    assert cells.amount(value) == shown
