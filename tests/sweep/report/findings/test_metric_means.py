"""All metrics of all candidates, and the paper's rows of the same upstream."""

import pytest

from sweep.report.findings.metric_means import metric_means
from sweep.report.findings_cells import metric_cells
from tests.support.sweeps.finished_sweep import rows_on_test
from tests.support.sweeps.small_sweep import make_plan


@pytest.fixture
def plan(tmp_path):
    return make_plan(tmp_path)


def entries(plan, rows, published=False):
    found = metric_means(plan, rows.to_dict("records"))
    return {
        e["candidate"]: e["scores"] for e in found if e["group"] == "tera" and e["published"] is published
    }


def test_a_mean_is_over_seeds_and_utterances(plan):
    rows = rows_on_test(plan)
    mine = rows[rows.group.eq("tera") & rows.candidate.eq("layer2")]
    expected = mine.groupby("metric").value.mean().to_dict()
    assert entries(plan, rows)["layer2"] == pytest.approx(expected)
    assert list(entries(plan, rows)) == ["noisy", "none", "random", "layer1", "layer2", "layer3"]


def test_an_utterance_that_fails_for_one_is_left_out_for_all(plan):
    rows = rows_on_test(plan)
    failed = (
        rows.candidate.eq("none") & rows.utterance.eq("u03") & rows.metric.eq("wb_pesq") & rows.seed.eq(1001)
    )
    rows.loc[failed, ["value", "status"]] = [None, "no_utterance"]
    left = rows[rows.group.eq("tera") & rows.candidate.eq("layer2") & rows.utterance.ne("u03")]
    found = entries(plan, rows)["layer2"]
    assert found["wb_pesq"] == pytest.approx(left[left.metric.eq("wb_pesq")].value.mean())
    assert found["si_sdr"] == pytest.approx(entries(plan, rows_on_test(plan))["layer2"]["si_sdr"])


def test_the_papers_rows_of_the_upstream_follow_and_are_marked(plan):
    published = entries(plan, rows_on_test(plan), published=True)
    assert published["TERA-normed (layer 1) (published)"]["wb_pesq"] == 3.0729
    assert all(label.endswith("(published)") for label in published)
    assert "si_sdr" not in published["TERA-pretrained (published)"]


def test_the_table_shows_them_below_ours(plan):
    title, header, rows = next(
        metric_cells({"metrics": metric_means(plan, rows_on_test(plan).to_dict("records"))})
    )
    assert title == "All metrics, tera"
    assert header[:2] == ["candidate", "WB-PESQ"]
    labels = [row[0] for row in rows]
    assert labels.index("layer3") < labels.index("TERA-pretrained (published)")
    assert "-" in rows[-1]  # the paper gives no SI-SDR
