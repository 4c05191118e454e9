"""The fields of a method's configuration, each declared once with its default, its rules, its unit and its help:

    lr: float = number(1e-3, (1e-7, 1.0), help="Peak learning rate.")
    size: str = choice("tiny", of=("tiny", "base"), help="tiny for a CPU; base is the published network.")

Checks, error messages and `--help-config` are derived from these declarations (dataclass metadata). Both ends of a
range are allowed. A field whose default is None may be null; its help says what null stands for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from trainables.base.errors import UserError


class PaperTerm(NamedTuple):
    """The name a paper uses for what a field expresses in another way; accepted as input in its place."""

    name: str
    formula: str  # for people, such as "1 - 1 / horizon_m"
    to_field: Callable[[float], float]
    lowest: float  # both ends are allowed
    highest: float


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one field may be. `section`, where given, is the heading that this field and the next ones stand under."""

    help: str  # one sentence
    unit: str = "-"
    section: str = ""
    optional: bool = False  # null is allowed
    paper: PaperTerm | None = None

    kind: ClassVar[str] = ""  # precedes `brief` in an error message

    def accepts(self, value: Any) -> bool:
        """Whether the field may be `value`, whatever the other fields are."""
        return (value is None and self.optional) or self._fits(value)

    def convert(self, value: Any) -> Any:
        """An accepted JSON value as the configuration stores it."""
        return value

    @property
    def brief(self) -> str:
        """The allowed values: "0 to 1, or null"."""
        return self._values() + (", or null" if self.optional else "")

    def located(self, value: Any, folder: Path) -> Any:
        """The value as typed in `folder`, with a path made absolute."""
        return value

    def _fits(self, value: Any) -> bool:
        return True

    def _values(self) -> str:
        return "any"


@dataclass(frozen=True, kw_only=True)
class Choice(Rule):
    of: tuple[Any, ...]
    kind = "one of "

    def _fits(self, value: Any) -> bool:
        return value in self.of and not isinstance(value, bool)

    def _values(self) -> str:
        return ", ".join("null" if value is None else str(value) for value in self.of)


@dataclass(frozen=True, kw_only=True)
class Number(Rule):
    low: float
    high: float
    kind = "a number from "

    def _fits(self, value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    def _values(self) -> str:
        return f"{_written(self.low)} to {_written(self.high)}"


@dataclass(frozen=True, kw_only=True)
class Whole(Number):
    kind = "a whole number from "

    def _fits(self, value: Any) -> bool:
        return isinstance(value, int) and super()._fits(value)


@dataclass(frozen=True, kw_only=True)
class Flag(Rule):
    def _fits(self, value: Any) -> bool:
        return isinstance(value, bool)

    def _values(self) -> str:
        return "true or false"


@dataclass(frozen=True, kw_only=True)
class Positions(Rule):
    """Distinct whole numbers in any order, stored ascending. `empty`: what an empty list stands for."""

    empty: str = "off"

    def _fits(self, value: Any) -> bool:
        whole = isinstance(value, (list, tuple)) and all(type(each) is int for each in value)
        return whole and len(set(value)) == len(value)

    def convert(self, value: Any) -> tuple[int, ...]:
        return tuple(sorted(value))

    def _values(self) -> str:
        return f"a list of distinct {self.unit}, [] = {self.empty}"


@dataclass(frozen=True, kw_only=True)
class Text(Rule):
    what: str  # such as "an absolute path"
    holds: Callable[[str], bool]
    place: Callable[[str, Path], str] | None  # of a path: what it is when typed in a folder

    def located(self, value: Any, folder: Path) -> Any:
        return self.place(value, folder) if self.place and isinstance(value, str) else value

    def _fits(self, value: Any) -> bool:
        return isinstance(value, str) and self.holds(value)

    def _values(self) -> str:
        return self.what


def choice(default: Any, *, of: Sequence[Any], **about: Any) -> Any:
    """One of a few values; None may be among them."""
    return _declared(default, Choice(of=tuple(of), **about))


def number(default: float | None, within: tuple[float, float], optional: bool = False, **about: Any) -> Any:
    """A number within the range; null too where the default is None or `optional`."""
    return _declared(default, Number(**_range(default, within, optional), **about))


def whole(default: int | None, within: tuple[int, int], optional: bool = False, **about: Any) -> Any:
    """A whole number within the range; null too where the default is None or `optional`."""
    return _declared(default, Whole(**_range(default, within, optional), **about))


def flag(default: bool, **about: Any) -> Any:
    """True or false."""
    return _declared(default, Flag(**about))


def positions(*, unit: str, empty: str = "off", **about: Any) -> Any:
    """A list of layers or blocks by number, empty by default, which stands for `empty`."""
    return _declared((), Positions(unit=unit, empty=empty, **about))


def text(
    *,
    what: str,
    holds: Callable[[str], bool] = lambda value: True,
    place: Callable[[str, Path], str] | None = None,
    **about: Any,
) -> Any:
    """A text for which `holds`, null by default; `place` makes a path, typed in a folder, absolute."""
    return _declared(None, Text(what=what, holds=holds, place=place, optional=True, **about))


def _declared(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


def rules_of(kind: type) -> dict[str, Rule]:
    """Every field of the dataclass with its rule, in the order of the file."""
    return {each.name: each.metadata.get("rule", Rule(help="")) for each in fields(kind)}


class FieldRules:
    """The rules of one method's fields taken singly; what depends on several is the configuration's own."""

    def __init__(self, method: str, kind: type) -> None:
        self.method, self.rules = method, rules_of(kind)

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments for the dataclass from JSON values, in which terms of the paper may stand for fields.

        Raises:
            UserError: naming the field, its value and what is allowed.
        """
        own = self.in_own_terms(values)
        unknown = sorted(set(own) - set(self.rules))
        if unknown:
            raise UserError(
                f"{self.method} has no field {unknown[0]!r}: its fields are {', '.join(sorted(self.rules))}"
            )
        return {name: self._checked(name, value, self.rules[name]) for name, value in own.items()}

    def in_own_terms(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` with every term of the paper replaced by the field that expresses it; all else as it is.

        Raises:
            UserError: a term is out of its range, or is given together with its field.
        """
        found = dict(values)
        for name, rule in self.rules.items():
            term = rule.paper
            if term is None or term.name not in found:
                continue
            given = found.pop(term.name)
            self._checked(term.name, given, Number(help="", low=term.lowest, high=term.highest, optional=rule.optional))
            if name in found:
                raise UserError(
                    f"{self.method}: {term.name}={given!r} and {name}={found[name]!r} say the same "
                    f"({term.name} = {term.formula}): give only one of them"
                )
            found[name] = None if given is None else term.to_field(given)
        return found

    def located(self, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """`values`, typed in `folder`, with every path made absolute. Raises `UserError` for one that cannot be."""
        return {
            name: self.rules[name].located(value, folder) if name in self.rules else value
            for name, value in values.items()
        }

    def refusal(self, name: str, value: Any, allowed: str) -> UserError:
        """The error for a value that a field cannot have."""
        return UserError(f"{self.method}: {name}={value!r} is not possible; allowed: {allowed}")

    def _checked(self, name: str, value: Any, rule: Rule) -> Any:
        if not rule.accepts(value):
            raise self.refusal(name, value, rule.kind + rule.brief)
        return rule.convert(value)


def _range(default: float | None, within: tuple[float, float], optional: bool) -> dict[str, Any]:
    return {"low": within[0], "high": within[1], "optional": optional or default is None}


def _written(bound: float) -> str:
    """1000000.0 -> "1,000,000"; 1e-07 -> "1e-07"."""
    return f"{bound:,.0f}" if abs(bound) >= 1000 and bound == int(bound) else f"{bound:g}"
