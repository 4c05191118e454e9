"""Where metrics disagree: who is best by each, and whether that is more than chance."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from sweep.report.findings.metric_leaders import metric_leader, metric_leaders
from sweep.report.findings.metric_means import scores_of
from sweep.report.findings_cells import finding_lines, metric_leader_cells
from sweep.report.index_page import index_page
from sweep.verdict.paired_scores import paired_scores
from sweep.verdict.result import MetricLeader, Result
from tests.support.sweeps.finished_sweep import result_of, rows_on_test
from tests.support.sweeps.result_rows import LABELS, SEEDS, result_rows, scores
from tests.support.sweeps.small_sweep import make_plan


def by_metric(values: Any, leader: str = "layer2", metric: str = "stoi") -> MetricLeader:
    paired = paired_scores(result_rows(values, metric=metric), metric, LABELS, SEEDS)
    found = metric_leader("tera", metric, paired, leader, 0.05)
    assert found is not None
    return found


def test_the_leader_where_no_other_is_above_it() -> None:
    found = by_metric(scores((1.0, 1.2, 2.0, 1.5, 0.4)))
    assert (found["best"], found["ahead"], found["significant"]) == ("layer2", 0.0, False)
    assert found["interval"] is None


def test_another_that_is_significantly_above_it() -> None:
    found = by_metric(scores((1.0, 1.2, 1.5, 2.0, 0.4)))
    assert (found["best"], found["significant"]) == ("layer3", True)
    assert found["ahead"] == pytest.approx(0.5, abs=0.05)
    assert found["interval"] is not None
    assert sum(found["interval"]) / 2 == pytest.approx(found["ahead"])


def test_another_that_is_not() -> None:
    values = scores((1.0, 1.2, 1.5, 1.5, 0.4), spread=0.5)
    values[3] = values[2] + 0.01
    found = by_metric(values)
    assert (found["best"], found["significant"]) == ("layer3", False)
    assert found["ahead"] == pytest.approx(0.01)


def test_equal_scores_are_no_disagreement_and_failures_are_counted() -> None:
    values = scores((1.0, 1.2, 1.5, 1.5, 0.4))
    values[3] = values[2]
    found = by_metric(values)
    assert (found["best"], found["failures"]) == ("layer2", {})
    failing = scores((1.0, 1.2, 1.5, 1.4, 0.4), n_utterances=200)
    failing[4, 1, 7] = np.nan
    assert by_metric(failing)["failures"] == {"random": 1}


def test_picking_the_best_of_four_that_equal_the_leader_is_rarely_significant() -> None:
    """Dunnett's interval holds for the best of all rivals; a single t interval would not."""
    rng = np.random.default_rng(3)
    labels, repeats, false = list(LABELS), 300, 0
    for _ in range(repeats):
        values = rng.standard_normal((5, 3, 1)) * 0.03 + rng.standard_normal((5, 3, 40)) * 0.1
        values += 0.1 * rng.standard_normal((5, 1, 40)) + 0.5 * rng.standard_normal(40)
        paired = paired_scores(result_rows(values), "si_sdr", labels, SEEDS)
        found = metric_leader("tera", "si_sdr", paired, "none", 0.05)
        assert found is not None
        false += found["significant"]
    # One side of a two-sided 5 %: 7.5 expected of 300; 19 or more would have a chance below 1 in 5,000.
    assert false <= 18


def test_every_metric_of_the_plan_has_a_row_and_the_deciding_one_is_first(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    rows = rows_on_test(plan)
    worse = rows["metric"].eq("wb_pesq") & rows["group"].eq("tera") & rows["candidate"].eq("layer2")
    rows.loc[worse, "value"] -= 0.06  # 0.02 below layer3, whose rows differ by 0.002
    leaders = {group.name: "layer2" for group in plan.groups}
    found = metric_leaders(plan, scores_of(plan, rows), leaders)
    assert [(e["group"], e["metric"], e["best"], e["significant"]) for e in found] == [
        ("tera", "si_sdr", "layer2", False),
        ("tera", "wb_pesq", "layer3", True),
        ("wav2vec2", "si_sdr", "layer2", False),
        ("wav2vec2", "wb_pesq", "layer2", False),
    ]
    result = cast(Result, {**result_of(plan, rows), "metric_leaders": found})
    (title, header, table), second = metric_leader_cells(result)
    assert title.endswith(", tera")
    assert header[2] == "ahead of layer2"
    assert [row[3] for row in table] == ["same leader", "another, significantly"]
    assert [row[3] for row in second[2]] == ["same leader", "same leader"]
    (line,) = finding_lines(result)
    assert line.startswith("tera: significantly above the leader layer2")
    assert "WB-PESQ (layer3)" in line
    page = index_page(result, [])
    assert page.count("another, significantly") == 1
    assert page.index("Where metrics disagree, tera") < page.index("Where metrics disagree, wav2vec2")


def test_a_metric_without_scores_has_no_row(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    rows = rows_on_test(plan)
    rows.loc[rows["metric"].eq("wb_pesq"), ["value", "status"]] = [None, "no_utterance"]
    found = metric_leaders(plan, scores_of(plan, pd.DataFrame(rows)), {group.name: "layer2" for group in plan.groups})
    assert {entry["metric"] for entry in found} == {"si_sdr"}
