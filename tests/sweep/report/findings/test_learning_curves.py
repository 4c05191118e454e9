"""Curves of the finalists: means, paired leads over the baseline, and marks."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from scipy import stats

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.report.figures.curves import curve_plot
from sweep.report.findings.learning_curves import learning_curves
from sweep.report.findings_cells import curve_cells
from sweep.verdict.result import LearningCurve, Result
from tests.support.sweeps.contrastive_sweep import make_plan, record
from trainables.metrics import catalogue
from trainables.metrics.catalogue import METRICS

SEEDS = (1001, 1002, 1003)
OFFSETS = {1001: 0.0, 1002: 0.3, 1003: 0.9}


def curve(label: str, seed: int) -> dict[int, float]:
    """The contrastive one is faster at first and ends a little ahead; seeds differ."""
    lead = {"normal": (0.0, 0.0, 0.0), "byol_round": (2.0, 1.0, 0.5)}[label]
    wobble = {1001: 0.1, 1002: -0.2, 1003: 0.1}[seed] if label != "normal" else 0.0
    steps = (100, 200, 400)
    return {step: step / 100 + gain + wobble + OFFSETS[seed] for step, gain in zip(steps, lead, strict=True)}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path)


@pytest.fixture
def curves(plan: Plan) -> dict[str, LearningCurve]:
    records = [
        record(Job("all", "final", label, seed), curve(label, seed), {"lr": 0.01})
        for label in ("normal", "byol_round")
        for seed in SEEDS
    ]
    records.append(record(Job("all", "search", "byol_round", 1), {100: 99.0}, {"lr": 0.01}))
    return {entry["candidate"]: entry for entry in learning_curves(plan, records)}


def test_a_curve_is_the_mean_over_the_finalists_seeds(curves: dict[str, LearningCurve]) -> None:
    expected = [np.mean([curve("byol_round", seed)[step] for seed in SEEDS]) for step in (100, 200, 400)]
    assert curves["byol_round"]["score"] == pytest.approx(expected)
    assert curves["byol_round"]["seeds"] == 3


def test_an_epoch_is_as_much_audio_as_there_is(curves: dict[str, LearningCurve]) -> None:
    assert curves["normal"]["epochs"] == [0.4, 0.8, 1.6]


def test_the_lead_is_paired_by_seed_with_students_interval(curves: dict[str, LearningCurve]) -> None:
    differences = np.array([curve("byol_round", s)[100] - curve("normal", s)[100] for s in SEEDS])
    expected = stats.t.interval(0.95, 2, differences.mean(), stats.sem(differences))
    assert curves["byol_round"]["lead"][0] == pytest.approx(differences.mean())
    assert curves["byol_round"]["lead_interval"][0] == pytest.approx(list(expected))
    assert curves["normal"]["lead"] == [0.0, 0.0, 0.0]


def test_switches_are_marked_in_epochs(curves: dict[str, LearningCurve]) -> None:
    assert curves["byol_round"]["switches"] == pytest.approx([0.4, 0.8, 1.2])
    assert curves["normal"]["switches"] == []


def test_when_the_baselines_end_is_reached(curves: dict[str, LearningCurve]) -> None:
    assert curves["normal"]["reached_baseline"] == 1.6
    assert curves["byol_round"]["reached_baseline"] == 1.6


def test_convergence_is_counted_seed_by_seed_to_the_baselines_best(plan: Plan) -> None:
    """The baseline's best may lie before its end, and differs from seed to seed."""
    own: dict[str, dict[int, tuple[float, ...]]] = {
        "normal": {1001: (1, 3, 2), 1002: (4, 5, 6), 1003: (1, 2, 3)},
        "byol_round": {1001: (3, 1, 1), 1002: (5, 6.5, 5), 1003: (0, 2, 3)},
        "byol_full": {1001: (2, 2.5, 3), 1002: (1, 2, 3), 1003: (9, 9, 9)},
    }
    steps = (100, 200, 400)
    records = [
        record(Job("all", "final", label, seed), dict(zip(steps, map(float, scores), strict=True)), {"lr": 0.01})
        for label, by_seed in own.items()
        for seed, scores in by_seed.items()
    ]
    found = {entry["candidate"]: entry["convergence"] for entry in learning_curves(plan, records)}
    assert found["normal"]["steps"] == [200, 400, 400]
    assert found["byol_round"]["steps"] == [100, 200, 400]
    assert found["byol_round"]["mean"] == pytest.approx(700 / 3)
    expected = stats.t.interval(0.95, 2, 700 / 3, stats.sem([100, 200, 400]))
    assert found["byol_round"]["interval"] == pytest.approx(list(expected))
    assert found["byol_full"] == {"steps": [400, None, 100], "mean": None, "interval": None}
    result = cast(Result, {"curves": learning_curves(plan, records), "metric": plan.metric})
    ((_, header, rows),) = curve_cells(result)
    assert "best" in header[-1]
    assert {row[0]: row[-1] for row in rows} == {
        "normal": "333 ± 287", "byol_round": "233 ± 379", "byol_full": "2 of 3 seeds, after 100, 400",
    }  # fmt: skip


def test_convergence_where_less_is_better(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue._BUILT_IN, plan.metric, replace(METRICS[plan.metric], lower=True))
    own = {"normal": (3.0, 1.0, 2.0), "byol_round": (0.5, 4.0, 4.0), "byol_full": (2.0, 2.0, 1.5)}
    records = [
        record(Job("all", "final", label, 1001), dict(zip((100, 200, 400), scores, strict=True)), {"lr": 0.01})
        for label, scores in own.items()
    ]
    curves = learning_curves(plan, records)
    found = {entry["candidate"]: entry["convergence"] for entry in curves}
    assert {label: each["steps"] for label, each in found.items()} == {
        "normal": [200], "byol_round": [100], "byol_full": [None],
    }  # fmt: skip
    assert found["byol_round"]["mean"] == 100
    assert found["byol_round"]["interval"] is None  # of one seed
    ((_, _, rows),) = curve_cells(cast(Result, {"curves": curves, "metric": plan.metric}))
    assert {row[0]: row[-1] for row in rows} == {"normal": "200", "byol_round": "100", "byol_full": "0 of 1 seeds"}


def test_a_candidate_without_the_baselines_seeds_has_no_count(plan: Plan) -> None:
    records = [
        record(Job("all", "final", "normal", 1001), {100: 1.0}, {"lr": 0.01}),
        record(Job("all", "final", "byol_round", 1002), {100: 1.0}, {"lr": 0.01}),
    ]
    found = {entry["candidate"]: entry["convergence"] for entry in learning_curves(plan, records)}
    assert found["byol_round"] == {"steps": [], "mean": None, "interval": None}


def test_candidates_without_finalists_have_no_curve(curves: dict[str, LearningCurve]) -> None:
    assert set(curves) == {"normal", "byol_round"}


def test_the_plot_is_a_picture(curves: dict[str, LearningCurve], tmp_path: Path) -> None:
    curve_plot(list(curves.values()), "si_sdr", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_no_curves_are_an_empty_picture(tmp_path: Path) -> None:
    curve_plot([], "si_sdr", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()
