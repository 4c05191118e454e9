"""k(t) and the averaging horizons, against their formulas."""

import math
from itertools import pairwise
from typing import Any

import pytest

from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.strength_schedule import strength_at

SHAPES = ["linear", "cosine", "exp", "step", "poly"]


def k(progress: float, **values: Any) -> float:
    return strength_at(NormalizedSSLConfig.from_dict({"norm_layers": [1], "k0": 0.8, **values}), progress)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_falls_from_k0_to_zero(shape: str) -> None:
    values = [k(step / 200, k_shape=shape, k_end=0.6) for step in range(201)]
    assert values[0] == pytest.approx(0.8)
    assert all(later <= earlier for earlier, later in pairwise(values))
    assert values[120:] == [0.0] * 81


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", 0.8 * 0.7),
        ("cosine", 0.4 * (1 + math.cos(0.3 * math.pi))),
        ("exp", 0.8 * (math.exp(-1.5) - math.exp(-5)) / (1 - math.exp(-5))),
        ("step", 0.8 * 0.75),
        ("poly", 0.8 * 0.7**2),
        ("constant", 0.8),
    ],
)
def test_formulas_at_three_tenths_of_its_life(shape: str, expected: float) -> None:
    assert k(0.27, k_shape=shape) == pytest.approx(expected)


def test_hold_delays_the_fall_but_not_its_end() -> None:
    held = {"k_hold": 0.25, "k_end": 0.8}
    assert k(0.2, **held) == pytest.approx(0.8)
    assert k(0.5, **held) == pytest.approx(0.8 * 0.5)
    assert k(0.8, **held) == 0.0


def test_only_constant_survives_to_the_end() -> None:
    assert k(1.0, k_shape="constant") == 0.8


@pytest.mark.parametrize(
    ("budget", "expected"), [(50_000, (100, 1000)), (20_000, (100, 1000)), (400, (10, 40)), (6, (1, 1))]
)
def test_horizons_follow_the_budget(budget: int, expected: tuple[int, ...]) -> None:
    assert NormalizedSSLConfig().horizons(budget) == expected


def test_given_horizons_are_kept() -> None:
    config = NormalizedSSLConfig.from_dict({"norm_layers": [1], "horizon_m": 3, "horizon_r": 7})
    assert config.horizons(50_000) == (3, 7)
