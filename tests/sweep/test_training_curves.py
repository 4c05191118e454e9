"""Switch rates and learning curves from a study's reports."""

import numpy as np
import pytest
from scipy import stats

from sweep.jobs import Job
from sweep.study import JobRecord, Report
from sweep.training_curves import SYMMETRIC, curves_of, plot_curves, switch_table

SEEDS = (1, 2, 3)


def record(candidate: str, seed: int, switches: list[float], scores: list[float], state: str = "complete"):
    reports = tuple(
        Report(10 * n, score, {"switch_percent": 2 * switch, SYMMETRIC: switch}, 0)
        for n, (switch, score) in enumerate(zip(switches, scores, strict=True), start=1)
    )
    job = Job("convtasnet", "final", candidate, seed)
    return JobRecord(job, state, 1, 0, proposal=None, started_ms=0, reports=reports)


RECORDS = [
    *(record("scratch", seed, [30.0 + seed, 20.0], [0.0, 1.0]) for seed in SEEDS),
    *(record("se", seed, [10.0 + 3 * seed, 8.0], [1.5, 2.0]) for seed in SEEDS),
    record("cc", 1, [9.0, 9.0], [0.1, 0.2], state="failed"),
]


def test_finished_finalists_become_one_entry_per_candidate():
    curves = curves_of(RECORDS)
    assert [each.label for each in curves] == ["scratch", "se"]
    assert curves[0].steps == (10, 20)
    np.testing.assert_array_equal(curves[0].values[SYMMETRIC], [[31, 20], [32, 20], [33, 20]])


def test_differences_are_paired_by_seed_with_a_t_interval():
    scratch, se = switch_table(curves_of(RECORDS), "scratch")
    assert (scratch.difference, scratch.interval) == (None, None)
    differences = [(10 + 3 * seed + 8) / 2 - (30 + seed + 20) / 2 for seed in SEEDS]
    assert se.difference == pytest.approx(np.mean(differences))
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert se.interval == pytest.approx((expected.low, expected.high))
    assert se.switch == pytest.approx(2 * se.symmetric)


def test_rounds_until_the_baselines_best():
    scratch, se = switch_table(curves_of(RECORDS), "scratch")
    assert (scratch.rounds_to_baseline, se.rounds_to_baseline) == (2, 1)


def test_the_picture_is_a_png(tmp_path):
    plot_curves(curves_of(RECORDS), tmp_path / "curves.png", "SI-SDRi (dB)")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
