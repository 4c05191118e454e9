"""All metrics of all candidates, and the paper's rows of the same upstream."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from sweep.plan.plan import Plan
from sweep.report.findings.metric_means import metric_means, scores_of
from sweep.report.findings_cells import metric_cells
from sweep.verdict.result import MetricMeans, Result
from tests.support.sweeps.finished_sweep import rows_on_test
from tests.support.sweeps.result_rows import result_rows, scores
from tests.support.sweeps.small_sweep import make_plan
from tests.support.sweeps.typed_plan import plan as typed


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path)


def means(plan: Plan, rows: pd.DataFrame) -> list[MetricMeans]:
    return metric_means(plan, scores_of(plan, rows), {group.name: "layer2" for group in plan.groups})


def entries(plan: Plan, rows: pd.DataFrame, published: bool = False) -> dict[str, dict[str, float]]:
    found = means(plan, rows)
    return {e["candidate"]: e["scores"] for e in found if e["group"] == "tera" and e["published"] is published}


def test_a_mean_is_over_seeds_and_utterances(plan: Plan) -> None:
    rows = rows_on_test(plan)
    mine = rows[rows.group.eq("tera") & rows.candidate.eq("layer2")]
    expected = mine.groupby("metric").value.mean().to_dict()
    assert entries(plan, rows)["layer2"] == pytest.approx(expected)
    assert list(entries(plan, rows)) == ["noisy", "none", "random", "layer1", "layer2", "layer3"]


def test_an_utterance_that_fails_for_one_is_left_out_for_all_in_that_metric_alone(plan: Plan) -> None:
    values = scores((1.0, 1.2, 1.9, 1.5, 0.4), n_utterances=200)
    rows = pd.concat([result_rows(values, seeds=plan.seeds, metric=m) for m in ("si_sdr", "wb_pesq")])
    failed = rows.candidate.eq("none") & rows.utterance.eq("u0003") & rows.seed.eq(1001)
    rows.loc[failed & rows.metric.eq("wb_pesq"), ["value", "status"]] = [None, "no_utterance"]
    found = entries(plan, rows)["layer2"]
    assert found["wb_pesq"] == pytest.approx(np.delete(values[2], 3, axis=-1).mean())
    assert found["si_sdr"] == pytest.approx(values[2].mean())


def test_a_candidate_with_a_failed_seed_is_averaged_over_its_other_seeds(plan: Plan) -> None:
    values = scores((1.0, 1.2, 1.9, 1.5, 0.4), n_utterances=200)
    values[0, 1, :3] = np.nan  # above 1 % of the utterances
    found = entries(plan, result_rows(values, seeds=plan.seeds))
    assert found["none"]["si_sdr"] == pytest.approx(values[0, ::2].mean())
    assert found["layer2"]["si_sdr"] == pytest.approx(values[2].mean())


def test_the_papers_rows_of_the_upstream_follow_and_are_marked(plan: Plan) -> None:
    published = entries(plan, rows_on_test(plan), published=True)
    assert published["TERA-normed (layer 1) (published)"]["wb_pesq"] == 3.0729
    assert all(label.endswith("(published)") for label in published)
    assert "si_sdr" not in published["TERA-pretrained (published)"]


def test_a_space_that_names_the_paper_is_followed_by_all_its_systems(tmp_path: Path) -> None:
    made = typed(tmp_path, "--space", "systems", "--preset", "smoke").plan
    labels = [candidate.label for candidate in made.groups[0].candidates]
    rows = result_rows(scores([1.0] * len(labels), len(made.seeds)), labels, made.seeds).assign(group="all")
    found = metric_means(made, scores_of(made, rows), {"all": "demucs"})
    published = {each["candidate"]: each["scores"] for each in found if each["published"]}
    assert published["DEMUCS (published)"]["wb_pesq"] == 3.07
    assert published["SE-Conformer (published)"]["covl"] == 3.82
    assert len(published) == 14  # of Table 1; Table 2 repeats some
    assert [each["candidate"] for each in found if not each["published"]] == ["noisy", *labels]


def test_the_table_shows_them_below_ours(plan: Plan) -> None:
    result = cast(Result, {"metrics": means(plan, rows_on_test(plan))})
    title, header, rows = next(metric_cells(result))
    assert title == "All metrics, tera"
    assert header[:2] == ["candidate", "WB-PESQ"]
    labels = [row[0] for row in rows]
    assert labels.index("layer3") < labels.index("TERA-pretrained (published)")
    assert "-" in rows[-1]  # the paper gives no SI-SDR


def test_a_space_that_normalizes_no_layer_has_no_rows_of_that_paper(plan: Plan) -> None:
    groups = [
        replace(group, candidates=tuple(replace(each, config={"init": "pretrained"}) for each in group.candidates))
        for group in plan.groups
    ]
    other = replace(plan, groups=tuple(groups))
    assert not any(entry["published"] for entry in means(other, rows_on_test(plan)))


def test_with_more_metrics_than_candidates_they_go_down_the_table() -> None:
    scores = {"wb_pesq": 1.5, "stoi": 0.7, "si_sdr": 3.0}
    entry: MetricMeans = {"group": "tera", "candidate": "none", "published": False, "scores": scores}
    result = cast(Result, {"metrics": [entry, {**entry, "candidate": "layer1", "scores": {"stoi": 0.8}}]})
    _, header, rows = next(metric_cells(result))
    assert header == ["metric", "none", "layer1"]
    assert [row[0] for row in rows] == ["WB-PESQ", "STOI", "SI-SDR (dB)"]
    assert rows[1][2] == "0.800"
    assert rows[0][2] == "-"
