"""The declarations of fields: what they accept and refuse, and that every field of every method is declared in full."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.base.errors import UserError
from trainables.config.fields import (
    Choice,
    FieldRules,
    Flag,
    Number,
    PaperTerm,
    Positions,
    Rule,
    Text,
    Whole,
    choice,
    flag,
    number,
    positions,
    rules_of,
    text,
    whole,
)
from trainables.config.registry import METHODS, config_class


@dataclass
class Toy:
    shape: str = choice("linear", of=("linear", "constant"), help="Form of the decay.")
    lr: float = number(0.1, (1e-6, 1.0), help="Learning rate.")
    steps: int = whole(3, (0, 100_000), unit="steps", help="Length.")
    k0: float | None = number(
        None, (0.0, 1.0), help="Strength.", paper=PaperTerm("kappa", "2 k0", lambda k: k / 2, 0.0, 2.0)
    )
    patience: int | None = whole(5, (1, 9), optional=True, unit="rounds", help="Patience.")
    frozen: bool = flag(False, help="Train nothing.")
    layers: tuple[int, ...] = positions(unit="layers", help="Layers.")
    file: str | None = text(what="an absolute path", holds=lambda path: path.startswith("/"), help="A file.")


TOY = FieldRules("toy", Toy)
EVERY_FIELD = [
    pytest.param(method, name, rule, id=f"{method}-{name}")
    for method in sorted(METHODS)
    for name, rule in rules_of(config_class(method)).items()
]


def test_allowed_values_are_read_as_the_dataclass_stores_them() -> None:
    given = {"shape": "constant", "lr": 1, "steps": 10, "frozen": True, "layers": [3, 1], "file": "/x"}
    assert TOY.read({**given, "k0": 0.5, "patience": None}) == {
        **given,
        "k0": 0.5,
        "patience": None,
        "layers": (1, 3),
    }


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("shape", "square", "one of linear, constant"),
        ("lr", 2.0, "a number from 1e-06 to 1"),
        ("lr", float("nan"), "a number from 1e-06 to 1"),
        ("lr", None, "a number from 1e-06 to 1"),
        ("lr", True, "a number from 1e-06 to 1"),
        ("lr", "0.1", "a number from 1e-06 to 1"),
        ("steps", 2.5, "a whole number from 0 to 100,000"),
        ("k0", 2, "a number from 0 to 1, or null"),
        ("patience", 0, "a whole number from 1 to 9, or null"),
        ("frozen", 1, "true or false"),
        ("file", "x", "an absolute path, or null"),
        ("file", 3, "an absolute path, or null"),
        *(("layers", value, "a list of distinct layers, [] = off") for value in ([1, 1], [1.0], "12", [True], None)),
    ],
)
def test_a_refusal_names_the_field_the_value_and_what_is_allowed(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(UserError) as refused:
        TOY.read({field: value})
    assert str(refused.value) == f"toy: {field}={value!r} is not possible; allowed: {allowed}"


def test_an_unknown_field_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match="toy has no field 'learning_rate': its fields are file, frozen, k0"):
        TOY.read({"learning_rate": 1, "lr": 1})


def test_a_term_of_the_paper_stands_for_its_field() -> None:
    assert TOY.read({"kappa": 1.5, "lr": 0.5}) == {"k0": 0.75, "lr": 0.5}
    assert TOY.read({"kappa": None}) == {"k0": None}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kappa": 2.5}, ["kappa=2.5", "a number from 0 to 2, or null"]),
        ({"kappa": "strong"}, ["kappa='strong'", "a number from 0 to 2"]),
        ({"kappa": 1.0, "k0": 0.5}, ["kappa=1.0", "k0=0.5", "kappa = 2 k0", "only one"]),
    ],
)
def test_a_term_of_the_paper_is_refused_by_its_name(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        TOY.read(values)
    assert all(word in str(refused.value) for word in words)


# -- every field of every method ---------------------------------------------------------------------


@pytest.mark.parametrize(("method", "name", "rule"), EVERY_FIELD)
def test_a_field_has_a_rule_a_unit_and_a_sentence_of_help(method: str, name: str, rule: Rule) -> None:
    assert type(rule) is not Rule
    assert rule.unit
    assert rule.help.endswith(".")
    assert "\n" not in rule.help
    assert 0 < len(rule.brief) < 100


@pytest.mark.parametrize("method", sorted(METHODS))
def test_fields_stand_under_headings_and_defaults_keep_the_rules(method: str) -> None:
    kind = config_class(method)
    rules = rules_of(kind)
    assert next(iter(rules.values())).section
    defaults = {each.name: each.default for each in fields(kind)}
    assert all(rule.accepts(defaults[name]) for name, rule in rules.items())
    assert kind.from_dict(defaults) == kind()


@pytest.mark.parametrize(("method", "name", "rule"), EVERY_FIELD)
def test_what_keeps_a_rule_is_accepted_and_nothing_else(method: str, name: str, rule: Rule) -> None:
    read = FieldRules(method, config_class(method)).read
    values: Any = st.data()

    @settings(derandomize=True, deadline=None, max_examples=40)
    @given(values)
    def check(data: st.DataObject) -> None:
        inside = data.draw(_inside(rule))
        stored = tuple(sorted(inside)) if isinstance(rule, Positions) else inside
        assert read({name: inside}) == {name: stored}
        outside = data.draw(_outside(rule))
        with pytest.raises(UserError, match=rf"^{method}: {name}="):
            read({name: outside})

    check()


def _inside(rule: Rule) -> st.SearchStrategy[Any]:
    strategies: dict[type, Any] = {
        Choice: lambda rule: st.sampled_from(rule.of),
        Flag: lambda rule: st.booleans(),
        Number: lambda rule: st.floats(rule.low, rule.high),
        Whole: lambda rule: st.integers(rule.low, rule.high),
        Positions: lambda rule: st.lists(st.integers(1, 9), unique=True),
        Text: lambda rule: st.from_regex(r"/[a-z]+/[a-z]+\.pth", fullmatch=True),
    }
    found: st.SearchStrategy[Any] = strategies[type(rule)](rule)
    return found | st.none() if rule.optional else found


def _outside(rule: Rule) -> st.SearchStrategy[Any]:
    """JSON values of the wrong type, and of the right type beyond the rule."""
    json_values = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers() | st.text())
    )
    wrong = json_values.filter(lambda value: not _keeps(rule, value))
    if not isinstance(rule, Number):
        return wrong
    return wrong | st.floats(max_value=rule.low, exclude_max=True) | st.floats(rule.high, exclude_min=True)


def _keeps(rule: Rule, value: Any) -> bool:
    """The rule written a second time, by its kind."""
    if value is None:
        return rule.optional or (isinstance(rule, Choice) and None in rule.of)
    match rule:
        case Choice():
            return any(type(value) in (type(each), float) and value == each for each in rule.of)
        case Flag():
            return value is True or value is False
        case Number():
            is_number = type(value) is int or (type(value) is float and type(rule) is Number)
            return is_number and rule.low <= value <= rule.high
        case Positions():
            return type(value) is list and {*map(type, value)} <= {int} and len({*value}) == len(value)
        case Text():
            return type(value) is str and (rule.what != "an absolute path" or Path(value).is_absolute())
    raise AssertionError(rule)
