"""A trial without a study behaves, for a space's `suggest`, as one that a study asked for."""

from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution

from sweep.search.drawn_trial import DrawnTrial


def trial(**fixed: Any) -> DrawnTrial:
    """Draws the name's length, whatever the distribution."""
    return DrawnTrial(lambda name, distribution: len(name), fixed, number=7)


def test_what_is_not_fixed_is_drawn_when_it_is_asked_for() -> None:
    asked = trial(rate=0.5)
    assert (asked.suggest_float("rate", 0, 1), asked.suggest_int("layers", 1, 9)) == (0.5, 6)
    assert asked.params == {"rate": 0.5, "layers": 6}
    assert asked.distributions["rate"] == FloatDistribution(0, 1)
    assert asked.number == 7


def test_what_is_fixed_but_never_asked_for_is_no_parameter() -> None:
    assert trial(rate=0.5).params == {}


def test_asking_twice_gives_the_first_value() -> None:
    drawn: list[str] = []

    def draw(name: str, distribution: BaseDistribution) -> float:
        drawn.append(name)
        return 1.0 / len(drawn)

    asked = DrawnTrial(draw, {}, number=0)
    assert asked.suggest_float("rate", 0, 1) == asked.suggest_float("rate", 0, 1) == 1.0
    assert drawn == ["rate"]


def test_a_single_value_needs_no_draw() -> None:
    assert trial().suggest_categorical("shape", ["linear"]) == "linear"


def test_asked_again_with_another_range_it_answers_as_a_trial_of_a_study_does() -> None:
    stock = optuna.create_study().ask(fixed_distributions={"rate": FloatDistribution(0, 1)})
    ours = DrawnTrial(lambda name, distribution: stock.params["rate"], {}, number=0)
    ours.suggest_float("rate", 0, 1)
    with pytest.warns(RuntimeWarning, match="Inconsistent"):
        again = stock.suggest_float("rate", 2, 3)
    assert ours.suggest_float("rate", 2, 3) == again
    assert ours.distributions == stock.distributions


@pytest.mark.parametrize("value", [77.0, -1.0])
def test_a_fixed_value_outside_its_range_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match=f"rate = {value}"):
        trial(rate=value).suggest_float("rate", 0, 1)
