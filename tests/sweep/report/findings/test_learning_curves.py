"""Curves of the finalists: means, paired leads over the baseline, and marks."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.report.figures.curves import curve_plot
from sweep.report.findings.learning_curves import learning_curves
from sweep.verdict.result import LearningCurve
from tests.support.sweeps.contrastive_sweep import make_plan, record

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


def test_candidates_without_finalists_have_no_curve(curves: dict[str, LearningCurve]) -> None:
    assert set(curves) == {"normal", "byol_round"}


def test_the_plot_is_a_picture(curves: dict[str, LearningCurve], tmp_path: Path) -> None:
    curve_plot(list(curves.values()), "si_sdr", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_no_curves_are_an_empty_picture(tmp_path: Path) -> None:
    curve_plot([], "si_sdr", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()
