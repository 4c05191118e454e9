"""Warm-up, cosine or straight line, floor; and DPTNet's learning rate."""

import pytest

from trainables.training.learning_rate import NOAM_WARMUP_STEPS, linear_factor, lr_factor, noam_rate


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.05), (0.05, 0.525), (0.1, 1.0), (0.55, 0.525), (1.0, 0.05), (1.2, 0.05)],
)
def test_values(progress: float, expected: float) -> None:
    assert lr_factor(progress, warmup_share=0.1, floor=0.05) == pytest.approx(expected)


def test_without_warm_up_it_starts_at_the_peak() -> None:
    assert lr_factor(0.0, warmup_share=0.0, floor=0.05) == 1.0


@pytest.mark.parametrize(
    ("progress", "floor", "expected"),
    [(0.0, 0.0, 0.0), (0.125, 0.0, 0.5), (0.25, 0.0, 1.0), (0.625, 0.0, 0.5), (1.0, 0.1, 0.1), (1.2, 0.1, 0.1)],
)
def test_values_of_the_straight_line(progress: float, floor: float, expected: float) -> None:
    assert linear_factor(progress, warmup_share=0.25, floor=floor) == pytest.approx(expected)


def test_the_two_parts_of_noam_meet_at_a_scale_of_a_fifth() -> None:
    peak = noam_rate(NOAM_WARMUP_STEPS - 1, epoch=0, scale=0.2)
    assert peak == pytest.approx(3.95e-4, rel=1e-2)
    assert noam_rate(NOAM_WARMUP_STEPS, epoch=0, scale=0.2) == pytest.approx(4e-4)


def test_the_public_scripts_noam_scale_overshoots() -> None:
    assert noam_rate(NOAM_WARMUP_STEPS - 1, epoch=0, scale=1.0) == pytest.approx(1.98e-3, rel=1e-2)


def test_noam_falls_every_other_epoch() -> None:
    rates = [noam_rate(10_000, epoch, 0.2) for epoch in range(6)]
    assert rates[0] == rates[1] > rates[2] == rates[3]
    assert rates[4] == pytest.approx(4e-4 * 0.98**2)
