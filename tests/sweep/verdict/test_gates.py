"""When the question means something at this size."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sweep.verdict.gates import interpretable

RNG = np.random.default_rng(5)
SITES = [
    {"site": 0, "value": 0.02, "interval": (-0.05, 0.09)},
    {"site": 1, "value": 0.45, "interval": (0.35, 0.55)},
]


def bodies(gap: float, spread: float = 0.2) -> dict[str, NDArray[np.float64]]:
    random = RNG.standard_normal((3, 1)) * 0.05 + np.linspace(0, 5, 40)
    return {"pretrained": random + gap + spread * RNG.standard_normal((3, 40)), "random": random}


def test_a_gap_and_a_mismatch_make_the_question_mean_something() -> None:
    found = interpretable(bodies(1.0), SITES)
    assert found["interpretable"] is True
    assert found["reasons"] == []
    assert found["transfer_gap"]["value"] == pytest.approx(1.0, abs=0.1)
    assert found["mismatch"][1] == {"site": 1, "value": 0.45, "interval": [0.35, 0.55]}


@pytest.mark.parametrize("gap", [0.0, -1.0])
def test_pretraining_that_does_not_help_makes_it_mean_nothing(gap: float) -> None:
    found = interpretable(bodies(gap), SITES)
    assert found["interpretable"] is False
    assert "pre-training is not shown to help" in found["reasons"][0]


def test_no_mismatch_at_any_site_leaves_nothing_to_normalize() -> None:
    found = interpretable(bodies(1.0), SITES[:1])
    assert found["interpretable"] is False
    assert found["reasons"] == ["no site shows a mismatch between noisy and clean features"]


def test_a_mismatch_below_zero_is_none() -> None:
    """It estimates a square, without bias: below zero there is nothing but chance."""
    found = interpretable(bodies(1.0), [{"site": 0, "value": -0.02, "interval": (-0.03, -0.01)}])
    assert found["reasons"] == ["no site shows a mismatch between noisy and clean features"]


def test_the_gaps_interval_is_over_seeds_and_utterances() -> None:
    """With a gap that varies by seed only, it is the t interval of the three seeds' gaps."""
    per_seed = np.array([0.5, 1.0, 1.8])
    random = np.tile(np.linspace(0, 5, 40), (3, 1))
    found = interpretable({"pretrained": random + per_seed[:, None], "random": random}, SITES)
    reference = stats.ttest_1samp(per_seed, 0).confidence_interval(0.95)
    assert found["transfer_gap"]["interval"] == pytest.approx([reference.low, reference.high])


def test_a_failed_utterance_is_left_out_of_both_bodies() -> None:
    scores = bodies(1.0)
    gappy = {name: [[None if u == 3 else v for u, v in enumerate(row)] for row in scores[name]] for name in scores}
    without = {name: np.delete(value, 3, axis=1) for name, value in scores.items()}
    assert interpretable(gappy, SITES) == interpretable(without, SITES)


def test_one_seed_has_no_interval_and_says_so() -> None:
    found = interpretable({"pretrained": [[2.0, 3.0]], "random": [[1.0, 1.0]]}, SITES)
    assert found["transfer_gap"] == {"value": 1.5, "interval": None}
    assert "needs 2 seeds" in found["reasons"][0]


def test_ten_speakers_are_the_unit_of_the_gap() -> None:
    scores = bodies(1.0)
    by_speaker = {name: np.stack([v[:, s::10].mean(axis=1) for s in range(10)], axis=1) for name, v in scores.items()}
    found = interpretable({**scores, "speakers": [f"s{u % 10}" for u in range(40)]}, SITES)
    reference = interpretable(by_speaker, SITES)
    assert found["transfer_gap"]["interval"] == pytest.approx(reference["transfer_gap"]["interval"])


@pytest.mark.parametrize(
    ("interval", "meaningful"), [((0.01, 0.03), True), ((-0.01, 0.05), False), ((-0.03, -0.01), False), (None, False)]
)
def test_a_position_component_is_needed_at_one_layer_at_least(
    interval: tuple[float, float] | None, meaningful: bool
) -> None:
    layers: list[dict[str, Any]] = [
        {"layer": 1, "value": 0.0, "interval": (-0.01, 0.01)},
        {"layer": 2, "value": 0.02, "interval": interval},
    ]
    found = interpretable(position=layers)
    assert found["interpretable"] is meaningful
    assert len(found["reasons"]) == (not meaningful)
    assert [row["layer"] for row in found["position"]] == [1, 2]
    assert "transfer_gap" not in found
