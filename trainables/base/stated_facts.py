"""What a foreign checkpoint says of its network and data, against what is built here.

One rule for every reader of weights: what a file says is either what is configured here or refused by name. Silence
means the default of the program that wrote the file, and a name that is not known is refused too: it may change the
output, and shapes would not show it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from trainables.base.errors import UserError

NO_DEFAULT = object()  # silence is refused
_LONGEST = 60  # characters of a value in a message


@dataclass(frozen=True)
class Fact:
    """One thing a file may say.

    Attributes:
        allowed: the values that mean what is built here, the usual one first.
        default: the meaning of silence.
        field: the field of the configuration that can be set to the file's value.
        read: how the program that wrote the file reads the value.
    """

    allowed: tuple[Any, ...]
    default: Any = NO_DEFAULT
    field: str = ""
    read: Callable[[Any], Any] = lambda value: value

    def holds(self, value: Any) -> bool:
        """Whether this value means what is built here."""
        try:
            read = self.read(value)
            return any(read == allowed and type(read) in _alike(allowed) for allowed in self.allowed)
        except (ValueError, TypeError, RuntimeError):
            return False


def require_facts(
    where: str, stated: Mapping[str, Any], facts: Mapping[str, Fact], irrelevant: Collection[str] = ()
) -> None:
    """Raise `UserError` naming every difference; `irrelevant` names say nothing of the features that are used."""
    unknown = [name for name in stated if name not in facts and name not in irrelevant]
    problems = [f"{' '.join(str(name).split())}={_short(stated[name])} is not known" for name in unknown]
    for name, fact in facts.items():
        if name in stated:
            if not fact.holds(stated[name]):
                problems.append(f"{name}={_short(stated[name])}, here {_here(fact, stated[name])}")
        elif fact.default is NO_DEFAULT:
            problems.append(f"{name} is not given, here {fact.allowed[0]!r}")
        elif not fact.holds(fact.default):
            problems.append(f"{name} is not given and means {fact.default!r}, here {_here(fact, fact.default)}")
    if problems:
        raise UserError(
            f"{where}: another network or other data than configured here: {'; '.join(problems)}; set the "
            "configuration to the file's values where it has such a field, or give another file"
        )


def _here(fact: Fact, value: Any) -> str:
    remedy = f" (--set {fact.field}={value})" if fact.field else ""
    return f"{fact.allowed[0]!r}{remedy}"


def _alike(allowed: Any) -> tuple[type, ...]:
    """A number may be written as int or float, and True is no number."""
    return (int, float) if type(allowed) in (int, float) else (type(allowed),)


def _short(value: Any) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
