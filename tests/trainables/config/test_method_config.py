"""What a configuration inherits from `MethodConfig`: checks of its fields, and reset of those without effect."""

from collections.abc import Collection
from dataclasses import dataclass

import pytest

from trainables.base.errors import UserError
from trainables.config.fields import choice, number
from trainables.config.method_config import MethodConfig


@dataclass(frozen=True, kw_only=True)
class Own(MethodConfig):
    METHOD = "own"

    shape: str = choice("flat", of=("flat", "steep"), help="Form.")
    slope: float = number(1.0, (0.0, 9.0), help="Of the steep form.")
    taps: int = 3  # declared without a rule

    def check_together(self) -> None:
        if self.shape == "steep" and self.slope == 0.0:
            raise self.refusal("slope", self.slope, "above 0 with shape='steep'")

    def idle(self) -> Collection[str]:
        return () if self.shape == "steep" else ("slope",)


def test_fields_without_effect_take_their_defaults() -> None:
    assert Own.from_dict({"slope": 5.0, "taps": 7}) == Own(taps=7)
    steep = Own.from_dict({"shape": "steep", "slope": 5.0})
    assert (steep.slope, Own.from_dict(steep.to_dict())) == (5.0, steep)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"slope": 10.0}, ["own: slope=10.0", "0 to 9"]),
        ({"shape": "steep", "slope": 0.0}, ["own: slope=0.0", "above 0"]),
        ({"slop": 1.0}, ["own has no field 'slop'", "shape, slope, taps"]),
    ],
)
def test_a_refusal_names_the_method_the_field_and_what_is_allowed(values: dict[str, object], words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        Own.from_dict(values)
    assert all(word in str(refused.value) for word in words)
