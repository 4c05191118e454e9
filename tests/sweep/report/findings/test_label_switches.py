"""Label switches of the finalists: means, paired differences from the baseline, table and picture."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from scipy import stats

from sweep.report.figures.curves import switch_plot
from sweep.report.findings.label_switches import label_switches
from sweep.report.findings_cells import switch_cells
from sweep.study.study import JobRecord
from sweep.verdict.result import LabelSwitches, Result
from tests.support.sweeps.separation_sweep import make_plan, record

SEEDS = (1001, 1002, 1003)
SCRATCH = {1001: 31.0, 1002: 32.0, 1003: 33.0}
SE = {1001: 12.0, 1002: 15.0, 1003: 18.0}


@pytest.fixture
def records() -> list[JobRecord]:
    return [
        *(record("scratch", seed, [SCRATCH[seed], 20.0]) for seed in SEEDS),
        *(record("se", seed, [SE[seed], 8.0]) for seed in SEEDS),
        record("cc", 1001, [9.0, 9.0], state="failed"),
    ]


@pytest.fixture
def switches(tmp_path: Path, records: list[JobRecord]) -> dict[str, LabelSwitches]:
    return {entry["candidate"]: entry for entry in label_switches(make_plan(tmp_path), records)}


def test_finished_finalists_become_one_entry_per_candidate(switches: dict[str, LabelSwitches]) -> None:
    assert list(switches) == ["scratch", "se"]
    assert switches["scratch"]["symmetric"] == [32.0, 20.0]
    assert switches["scratch"]["switch"] == [64.0, 40.0]
    assert (switches["se"]["mean_switch"], switches["se"]["mean_symmetric"]) == (23.0, 11.5)


def test_rounds_have_their_epochs(switches: dict[str, LabelSwitches]) -> None:
    """128 utterances make 64 mixtures: an epoch is 16 steps of 4 crops."""
    assert switches["se"]["steps"] == [10, 20]
    assert switches["se"]["epochs"] == pytest.approx([40 / 64, 80 / 64], abs=1e-4)


def test_phases_are_marked_where_they_begin(tmp_path: Path, records: list[JobRecord]) -> None:
    """Thirds of 240 steps, an epoch being 16."""
    plan = make_plan(tmp_path)
    assert [entry.get("phases") for entry in label_switches(plan, records)] == [[], []]
    cascade = replace(plan, fixed={"label_strategy": "cascade", "pool_mixtures": 8})
    entries = label_switches(cascade, records)
    assert entries[0]["phases"] == pytest.approx([80 / 16, 160 / 16])
    switch_plot(entries, tmp_path / "switches.png")
    figure = (tmp_path / "switches.png").read_bytes()
    switch_plot([{**entry, "phases": []} for entry in entries], tmp_path / "switches.png")
    assert figure != (tmp_path / "switches.png").read_bytes()


def test_the_difference_is_paired_by_seed_with_students_interval(switches: dict[str, LabelSwitches]) -> None:
    differences = np.array([(SE[seed] + 8.0) / 2 - (SCRATCH[seed] + 20.0) / 2 for seed in SEEDS])
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert switches["se"]["difference"] == pytest.approx(differences.mean())
    assert switches["se"]["difference_interval"] == pytest.approx([expected.low, expected.high])
    assert switches["scratch"]["difference"] == 0.0


def test_without_the_baseline_there_is_no_difference(tmp_path: Path, records: list[JobRecord]) -> None:
    (alone,) = label_switches(make_plan(tmp_path), [r for r in records if r.job.candidate == "se"])
    assert (alone["difference"], alone["difference_interval"]) == (None, None)


def test_methods_without_labels_have_none(tmp_path: Path, records: list[JobRecord]) -> None:
    silent = [replace(r, reports=tuple(replace(report, metrics={}) for report in r.reports)) for r in records]
    assert label_switches(make_plan(tmp_path), silent) == []


def test_the_table_shows_every_candidate_against_the_baseline(switches: dict[str, LabelSwitches]) -> None:
    result = cast(Result, {"label_switches": list(switches.values())})
    ((title, header, rows),) = switch_cells(result)
    assert title == "Label switches per round of training, convtasnet"
    assert header == ["candidate", "switched (%)", "symmetric (%)", "symmetric, minus the baseline's"]
    assert rows[0] == ["scratch", "52.0", "26.0", "+0.0 ± 0.0"]
    assert rows[1][:3] == ["se", "23.0", "11.5"]
    assert rows[1][3].startswith("-14.5 ± ")


def test_the_plot_is_a_picture(switches: dict[str, LabelSwitches], tmp_path: Path) -> None:
    switch_plot(list(switches.values()), tmp_path / "switches.png")
    assert (tmp_path / "switches.png").read_bytes().startswith(b"\x89PNG")
