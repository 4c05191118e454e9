"""DPTNet's learning rate."""

import pytest

from trainables.separation.noam import WARMUP_STEPS, noam_rate


def test_the_two_parts_meet_at_a_scale_of_a_fifth():
    peak = noam_rate(WARMUP_STEPS - 1, epoch=0, scale=0.2)
    assert peak == pytest.approx(3.95e-4, rel=1e-2)
    assert noam_rate(WARMUP_STEPS, epoch=0, scale=0.2) == pytest.approx(4e-4)


def test_the_public_scripts_scale_overshoots():
    assert noam_rate(WARMUP_STEPS - 1, epoch=0, scale=1.0) == pytest.approx(1.98e-3, rel=1e-2)


def test_it_falls_every_other_epoch():
    rates = [noam_rate(10_000, epoch, 0.2) for epoch in range(6)]
    assert rates[0] == rates[1] > rates[2] == rates[3]
    assert rates[4] == pytest.approx(4e-4 * 0.98**2)
