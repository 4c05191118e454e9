"""When the contrastive term is on; the report's 50 epochs are an eighth of 400."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.contrastive_se.config import ContrastiveSEConfig
from trainables.contrastive_se.loss_schedule import (
    contrastive_level,
    loss_scale,
    mixing,
    target_decay,
)

EPOCHS = 400


def config(**fields: Any) -> ContrastiveSEConfig:
    return ContrastiveSEConfig.from_dict({"target": "byol", **fields})


def levels(epochs: Iterable[float], **fields: Any) -> list[float]:
    return [contrastive_level(config(**fields), epoch / EPOCHS) for epoch in epochs]


SWITCHES = (0, 49, 50, 99, 100)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"target": "none"}, [0, 0, 0, 0, 0]),
        ({"schedule": "full"}, [1, 1, 1, 1, 1]),
        ({"schedule": "round", "round_period": 50 / EPOCHS}, [1, 1, 0, 0, 1]),
        ({"schedule": "round", "round_period": 100 / EPOCHS}, [1, 1, 1, 1, 0]),  # "round(100 s)"
        ({"schedule": "pretrain", "pretrain_share": 50 / EPOCHS}, [1, 1, 0, 0, 0]),
        ({"schedule": "anneal"}, [1, 0.8775, 0.875, 0.7525, 0.75]),
        ({"schedule": "anneal", "anneal_share": 0.25}, [1, 0.51, 0.5, 0.01, 0]),
    ],
)
def test_the_schedules(fields: dict[str, Any], expected: list[Any]) -> None:
    assert levels(SWITCHES, **fields) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["round", "pretrain", "anneal"])
def test_some_of_the_term_may_stay(schedule: str) -> None:
    late = {"round": 50, "pretrain": 300, "anneal": 400}[schedule]
    assert levels([late], schedule=schedule, cl_floor=0.1) == pytest.approx([0.1])


def test_the_scale_of_each_phase() -> None:
    """The report: L_CL + 0.1 L_SE in the mix, the plain L_SE between."""
    both = config(schedule="pretrain", pretrain_share=0.5, mix_scale=0.1)
    assert loss_scale(both, 0.0) * both.cl_weight == pytest.approx(1.0)
    assert loss_scale(both, 0.0) == pytest.approx(0.1)
    assert loss_scale(both, 0.5) == 1.0
    assert loss_scale(config(target="none"), 0.0) == 1.0


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["full", "round", "pretrain", "anneal"]),
    st.integers(1, 40),
    st.integers(0, 39),
    st.floats(0, 1),
)
def test_a_level_is_a_share_and_switches_only_at_the_marks(
    schedule: str, steps_of_phase: int, step: int, floor: float
) -> None:
    share = steps_of_phase / 40
    fields = {"round": "round_period", "pretrain": "pretrain_share", "anneal": "anneal_share"}
    extra = {fields[schedule]: share} if schedule in fields else {}
    tried = config(schedule=schedule, cl_floor=floor, **extra)
    assert 0.0 <= contrastive_level(tried, step / 40) <= 1.0
    switched = mixing(tried, step / 40) != mixing(tried, (step + 1) / 40)
    marks = {round(mark * 40) for mark in tried.phase_switches()}
    assert switched == (step + 1 in marks) or step + 1 == 40


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"target": "none"}, float("inf")),
        ({"schedule": "full"}, float("inf")),
        ({"schedule": "round", "round_period": 0.25}, 0.25),
        ({"schedule": "pretrain", "pretrain_share": 0.5}, 0.5),
        ({"schedule": "anneal"}, 0.0),
    ],
)
def test_up_to_where_schedules_are_the_same_training(fields: dict[str, Any], expected: float) -> None:
    common, share = config(**fields).until_first_switch()
    assert share == expected
    assert common == config(target=config(**fields).target)


def test_marks_of_a_curve() -> None:
    assert config(schedule="round", round_period=0.25).phase_switches() == pytest.approx((0.25, 0.5, 0.75))
    assert config(schedule="pretrain", pretrain_share=0.25).phase_switches() == (0.25,)
    assert config(schedule="full").phase_switches() == ()


def test_the_target_decay_may_ramp_up_to_one() -> None:
    ramp = config(tau=0.9, tau_ramp="cosine")
    assert target_decay(ramp, 0.0) == pytest.approx(0.9)
    assert target_decay(ramp, 0.5) == pytest.approx(0.95)
    assert target_decay(ramp, 1.0) == pytest.approx(1.0)
    assert target_decay(config(tau=0.9), 0.7) == 0.9
