"""Warm-up, cosine, floor."""

import pytest

from trainables.training.learning_rate import lr_factor


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.05), (0.05, 0.525), (0.1, 1.0), (0.55, 0.525), (1.0, 0.05), (1.2, 0.05)],
)
def test_values(progress, expected):
    assert lr_factor(progress, warmup_share=0.1, floor=0.05) == pytest.approx(expected)


def test_without_warm_up_it_starts_at_the_peak():
    assert lr_factor(0.0, warmup_share=0.0, floor=0.05) == 1.0
