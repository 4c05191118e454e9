"""What the fields of a method's configuration may be: checked, refused and told in the same way for all methods."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from trainables.base.errors import UserError


@dataclass(frozen=True, kw_only=True)
class FieldRules:
    """One method's rules for its fields taken singly; what depends on several is the configuration's own."""

    method: str
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # (lowest, highest), both allowed
    whole_numbers: Collection[str] = ()
    flags: Collection[str] = ()
    optional: Collection[str] = ()  # of the ranges: None is allowed, and means what is said beside the field
    lists: Mapping[str, str] = field(default_factory=dict)  # field -> what it lists, as "layers"

    def refuse_unknown(self, values: Iterable[str], kind: type) -> None:
        """Raises UserError for the first of `values` that is no field of the dataclass `kind`."""
        known = {each.name for each in fields(kind)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"{self.method} has no field {unknown[0]!r}: its fields are {', '.join(sorted(known))}"
            )

    def check(self, config: Any) -> None:
        """Raises UserError naming the first field that may not be what it is, and what is allowed."""
        for name, allowed in self.choices.items():
            value = getattr(config, name)
            if value not in allowed or isinstance(value, bool):
                raise self.refusal(name, value, f"one of {_listed(allowed)}")
        for name in self.ranges:
            self._check_number(name, getattr(config, name))
        for name in self.flags:
            if not isinstance(getattr(config, name), bool):
                raise self.refusal(name, getattr(config, name), "true or false")

    def distinct(self, name: str, value: Any) -> tuple[int, ...]:
        """[2] or (1, 3) -> ascending distinct whole numbers. Raises UserError."""
        whole = isinstance(value, (list, tuple)) and all(type(number) is int for number in value)
        if not whole or len(set(value)) != len(value):
            raise self.refusal(name, value, "a list of distinct whole numbers, [] = off")
        return tuple(sorted(value))

    def refusal(self, name: str, value: Any, allowed: str) -> UserError:
        return UserError(f"{self.method}: {name}={value!r} is not possible; allowed: {allowed}")

    def in_words(self) -> dict[str, str]:
        """What each field may be, for people."""
        ranges = {
            name: f"{low:g} to {high:g}" + (", null" if name in self.optional else "")
            for name, (low, high) in self.ranges.items()
        }
        choices = {name: _listed(allowed) for name, allowed in self.choices.items()}
        flags = dict.fromkeys(self.flags, "true, false")
        lists = {name: f"a list of {what}, [] = off" for name, what in self.lists.items()}
        return {**choices, **ranges, **flags, **lists}

    def _check_number(self, name: str, value: Any) -> None:
        if value is None and name in self.optional:
            return
        lowest, highest = self.ranges[name]
        kinds: tuple[type, ...] = (int,) if name in self.whole_numbers else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        if not number or not lowest <= value <= highest:
            kind = "a whole number" if name in self.whole_numbers else "a number"
            null = ", or null" if name in self.optional else ""
            raise self.refusal(name, value, f"{kind} from {lowest:g} to {highest:g}{null}")


def _listed(allowed: Iterable[Any]) -> str:
    """As they are written on the command line."""
    return ", ".join("null" if value is None else str(value) for value in allowed)
