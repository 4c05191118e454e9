"""Things by name: the built-in ones, and those that any installed package adds through entry points.

    [project.entry-points."speech_sweep.methods"]    # or .spaces, .recipes, .metrics
    my_method = "my_package.info:INFO"

Names are read from the packages' metadata; a thing itself is imported when it is first asked for.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trainables.base.errors import UserError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_PREFIX = "speech_sweep."

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Name -> thing of one kind, the built-in ones first.

    Args:
        what: what it holds, in the plural: "methods" reads the entry points of the group speech_sweep.methods.
        kind: the class of the things.
        built_in: name -> the thing, or "module:attribute" where importing it can wait.
    """

    def __init__(self, what: str, kind: type[T], built_in: Mapping[str, T | str]) -> None:
        self._what, self._kind, self._built_in = what, kind, built_in

    def __getitem__(self, name: str) -> T:
        """Raises UserError for an unknown name, a name that is there twice, and an entry point that cannot be used."""
        added = self._added()
        if name not in self._built_in:
            return self._load(added, name)
        thing = self._built_in[name]
        return load(thing) if isinstance(thing, str) else thing

    def __iter__(self) -> Iterator[str]:
        return iter([*self._built_in, *self._added()])

    def __len__(self) -> int:
        return len(self._built_in) + len(self._added())

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._added()

    def usable(self) -> dict[str, T]:
        """All but what some package fails to provide, which is refused only where it is asked for by name."""
        found = {}
        for name in self:
            with suppress(UserError):
                found[name] = self[name]
        return found

    def added_by(self, name: str) -> str | None:
        """The package that adds this one; None for a built-in one."""
        return None if name in self._built_in else _package(self._added()[name])

    def _added(self) -> Mapping[str, "EntryPoint"]:
        found = _entry_points(_PREFIX + self._what)
        for name in found.keys() & self._built_in.keys():
            raise _refusal(found[name], f"{self._what} have a built-in {name!r} already: rename yours")
        return found

    def _load(self, added: Mapping[str, "EntryPoint"], name: str) -> T:
        if name not in added:
            raise UserError(f"unknown {self._what[:-1]} {name!r}: choose one of {', '.join(sorted(self))}")
        point = added[name]
        try:
            thing = point.load()
        except Exception as error:  # whatever the package's code raises
            text = (str(error).splitlines() or [""])[0]
            raise _refusal(
                point,
                f"cannot be loaded ({type(error).__name__}: {text}); repair the package, or pip uninstall it",
            ) from error
        if not isinstance(thing, self._kind) or getattr(thing, "name", name) != name:
            wanted = f"a {self._kind.__module__}.{self._kind.__name__} named {name!r}"
            raise _refusal(point, f"is not {wanted}; name one, or pip uninstall the package")
        return thing


def load(path: str) -> Any:
    """The attribute that "module:attribute" names."""
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def plugin_sources() -> list[Path]:
    """Every Python file of the top-level modules that entry points of ours lead to; nothing is imported."""
    modules = {point.module.split(".")[0] for point in _ours()}
    files: set[Path] = set()
    for spec in filter(None, map(find_spec, sorted(modules))):
        folders = spec.submodule_search_locations
        if folders is None:
            files.add(Path(str(spec.origin)))
        files.update(path for folder in folders or () for path in Path(folder).rglob("*.py"))
    return sorted(files)


@cache
def _entry_points(group: str) -> Mapping[str, "EntryPoint"]:
    """Raises UserError where two packages add the same name."""
    found: dict[str, EntryPoint] = {}
    for point in _ours():
        if point.group == group and found.setdefault(point.name, point) is not point:
            raise _refusal(point, f"package {_package(found[point.name])!r} has that name too: uninstall one")
    return found


@cache
def _ours() -> "tuple[EntryPoint, ...]":
    """One walk over all installed packages, some 40 ms."""
    from importlib.metadata import entry_points

    found = entry_points()
    groups = sorted(group for group in found.groups if group.startswith(_PREFIX))
    return tuple(point for group in groups for point in found.select(group=group))


def forget_packages() -> None:
    """Look again at what is installed, after the module path of this process has changed."""
    _ours.cache_clear()
    _entry_points.cache_clear()


def _package(point: "EntryPoint") -> str:
    return point.dist.name if point.dist else "unknown"


def _refusal(point: "EntryPoint", why: str) -> UserError:
    return UserError(f"package {_package(point)!r}, entry point {point.name} = {point.value!r} of {point.group}: {why}")
