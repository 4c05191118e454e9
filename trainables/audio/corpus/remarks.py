"""What is said of many files at once: one error for all that cannot be used, one note per thing that was changed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from trainables.base.errors import UserError
from trainables.base.paths import shown

NAMED = 10  # files that an error names, of however many there are
NAMED_IN_NOTES = 3

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Remarks(list[tuple[str, str]]):
    """(what was found or changed, which file), noted down while audio is decoded."""

    def notes(self) -> list[str]:
        """One line per kind, with the first files' names."""
        files: defaultdict[str, list[str]] = defaultdict(list)
        for kind, name in sorted(set(self)):
            files[kind].append(name)
        return [f"{number_of_files(len(names))} {kind}: {first_of(names)}" for kind, names in files.items()]


def for_all(act: Callable[[Thing], Result], things: Iterable[Thing]) -> list[Result]:
    """`act` on everything; one `UserError` that reports every `UserError` of it."""
    results, problems = [], []
    for thing in things:
        try:
            results.append(act(thing))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise report(problems)
    return results


def report(problems: Sequence[str]) -> UserError:
    """One error for all the files that cannot be used: a line each for the first ten."""
    unique = list(dict.fromkeys(problems))
    if len(unique) == 1:
        return UserError(unique[0])
    more = [f"and {len(unique) - NAMED} more"] * (len(unique) > NAMED)
    return UserError(f"{len(unique)} recordings cannot be used:", each=[*unique[:NAMED], *more])


def number_of_files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def first_of(names: Sequence[str]) -> str:
    """The first few names, printable whatever bytes the file system holds."""
    return ", ".join(map(shown, names[:NAMED_IN_NOTES])) + (", ..." if len(names) > NAMED_IN_NOTES else "")
