"""Findings in addition to the verdict: shared training is counted, collapse is reported."""

from pathlib import Path
from typing import cast

import pytest

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.report.findings.findings import collapse, shared_training
from sweep.report.findings.learning_curves import learning_curves
from sweep.report.findings_cells import alarm_lines, curve_cells, finding_lines
from sweep.study.study import JobRecord
from sweep.verdict.result import Result
from tests.support.sweeps.contrastive_sweep import make_plan, record
from tests.support.sweeps.small_sweep import make_plan as make_norm_plan

RATES = (3e-3, 1e-2)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path)


def searched(plan: Plan, **metrics: float) -> list[JobRecord]:
    """Every candidate at both rates."""
    labels = [candidate.label for candidate in plan.groups[0].candidates]
    pairs = [(rate, label) for rate in RATES for label in labels]
    return [
        record(Job("all", "search", label, number), {50: 1.0, 400: 2.0}, {"lr": rate}, **metrics)
        for number, (rate, label) in enumerate(pairs)
    ]


def test_prefixes_are_counted_once_however_many_trials_take_them(plan: Plan) -> None:
    """BYOL's full, round and pretrain share one per rate, SimSiam's full and round another."""
    shared = shared_training(plan, searched(plan))
    assert shared == {"prefixes": 4, "trials": 10, "steps_saved": 6 * 100}


def test_they_are_the_stages_the_plan_computes(plan: Plan) -> None:
    prefixes = [stage for stage in plan.stages() if stage.kind == "prefix"]
    assert len(prefixes) == 4
    assert {stage.config["steps"] for stage in prefixes} == {100}
    taken = [plan.assignment(each.job, each.nuisance, 1).prefix for each in searched(plan)]
    assert {prefix["name"] for prefix in taken if prefix} == {"shared training, 100 steps"}


def test_one_trial_each_needs_the_anchors_prefixes_alone(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, samples=1)
    assert len([stage for stage in plan.stages() if stage.kind == "prefix"]) == 2


def test_finalists_train_from_scratch(plan: Plan) -> None:
    assert plan.assignment(Job("all", "final", "byol_full", 1001), {"lr": 0.01}, 1).prefix is None


def test_spaces_that_do_not_list_their_draws_share_nothing(tmp_path: Path) -> None:
    plan = make_norm_plan(tmp_path)
    assert shared_training(plan, []) is None
    assert all(stage.kind != "prefix" for stage in plan.stages())


def test_a_collapse_at_any_time_is_reported(plan: Plan) -> None:
    healthy = searched(plan, collapsed=0.0)
    assert collapse(healthy, ["collapsed"]) == {"watched": 14, "alarmed": []}
    bad = record(Job("all", "search", "normal", 99), {50: 1.0}, {}, collapsed=1.0)
    found = collapse([*healthy, bad], ["other", "collapsed"])
    assert found is not None
    assert found["alarmed"] == [bad.job.path]
    assert collapse(searched(plan), ["collapsed"]) is None
    assert collapse(healthy, []) is None


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({}, []),
        (
            {"shared_training": {"prefixes": 2, "trials": 5, "steps_saved": 300}},
            ["Shared training: 2 prefixes computed once for 5 search trials, 300 steps saved."],
        ),
        (
            {"collapse": {"watched": 3, "alarmed": []}},
            ["Collapse monitor: healthy in all 3 finished trials."],
        ),
        ({"collapse": {"watched": 3, "alarmed": ["a/b"]}}, ["COLLAPSED encoders in: a/b."]),
    ],
)
def test_findings_in_words(result: Result, expected: list[str]) -> None:
    assert [*alarm_lines(result), *finding_lines(result)] == expected


def test_the_table_of_leads_shows_a_few_moments(plan: Plan) -> None:
    steps = {50 * n: float(n) for n in range(1, 9)}
    records = [
        record(Job("all", "final", label, seed), steps, {"lr": 0.01})
        for label in ("normal", "byol_full")
        for seed in (1001, 1002)
    ]
    result = cast(Result, {"curves": learning_curves(plan, records), "metric": "si_sdr"})
    ((_, header, rows),) = curve_cells(result)
    assert header[1] == "epoch 0.2"
    assert header[-3] == "epoch 1.6"
    assert rows[1][:2] == ["byol_full", "+0.00 ± 0.00"]
