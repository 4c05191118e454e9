"""A method's fields taken singly: what is refused, in which words, and what --help-config prints of them."""

from dataclasses import dataclass, fields
from typing import Any

import pytest

from trainables.base.errors import UserError
from trainables.config.field_rules import FieldRules
from trainables.config.registry import METHODS, config_class

RULES = FieldRules(
    method="toy",
    choices={"shape": ("linear", "constant")},
    ranges={"lr": (1e-6, 1.0), "steps": (0, 10), "k0": (0.0, 1.0)},
    whole_numbers=("steps",),
    flags=("frozen",),
    optional=("k0",),
    lists={"layers": "layers"},
)


@dataclass
class Toy:
    shape: Any = "linear"
    lr: Any = 0.1
    steps: Any = 3
    k0: Any = None
    frozen: Any = False
    layers: Any = ()


def test_what_is_allowed_passes() -> None:
    RULES.check(Toy(shape="constant", lr=1, steps=10, k0=0.5, frozen=True))


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("shape", "square", "one of linear, constant"),
        ("lr", 2.0, "a number from 1e-06 to 1"),
        ("lr", float("nan"), "a number from 1e-06 to 1"),
        ("lr", None, "a number from 1e-06 to 1"),
        ("lr", True, "a number from 1e-06 to 1"),
        ("lr", "0.1", "a number from 1e-06 to 1"),
        ("steps", 2.5, "a whole number from 0 to 10"),
        ("frozen", 1, "true or false"),
    ],
)
def test_what_is_not_is_refused_by_field_value_and_what_is_allowed(
    field: str, value: Any, allowed: str
) -> None:
    with pytest.raises(UserError) as refused:
        RULES.check(Toy(**{field: value}))
    assert str(refused.value) == f"toy: {field}={value!r} is not possible; allowed: {allowed}"


def test_an_unknown_field_is_named_with_those_there_are() -> None:
    with pytest.raises(
        UserError, match="toy has no field 'learning_rate': its fields are frozen, k0, layers, lr"
    ):
        RULES.refuse_unknown({"learning_rate": 1, "lr": 1}, Toy)


def test_a_list_of_layers_comes_back_ascending() -> None:
    assert RULES.distinct("layers", [3, 1]) == (1, 3)


@pytest.mark.parametrize("value", [[1, 1], [1.0], "12", [True], None])
def test_a_list_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"toy: layers=.*a list of distinct whole numbers"):
        RULES.distinct("layers", value)


def test_the_rules_in_words() -> None:
    assert RULES.in_words() == {
        "shape": "linear, constant",
        "lr": "1e-06 to 1",
        "steps": "0 to 10",
        "k0": "0 to 1, null",
        "frozen": "true, false",
        "layers": "a list of layers, [] = off",
    }


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_methods_rules_name_fields_it_has(method: str) -> None:
    kind = config_class(method)
    assert set(kind.allowed_values()) <= {field.name for field in fields(kind)}
