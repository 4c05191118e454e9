"""A space from a Python file of the user's own: `--space my_space.py`.

The file defines one `Space` (search_spaces/norm_layers.py is the example to copy). It runs on the driver
only, with the user's rights; workers get plain JSON configurations.
"""

import hashlib
import importlib.util
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from search_spaces.space import Preset, Space
from trainables.base.errors import UserError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a folder's name and a tag's value
# Labels with a meaning of their own in the rows or on the listening pages.
_TAKEN = {"noisy": "the scores of the unprocessed input", "clean": "the references on the listening pages"}


def is_space_file(name: str) -> bool:
    return name.endswith(".py")


def load_space(path: Path, ours: Mapping[str, Space]) -> Space:
    """The one space that the file defines; it may import `ours`. Raises `UserError` if it cannot be used."""
    defined = [value for value in vars(_run_file(path)).values() if isinstance(value, Space)]
    found = {id(v): v for v in defined if not (v.name in ours and v == ours[v.name])}
    if len(found) != 1:
        raise UserError(
            f"--space {path}: the file must define one search_spaces.space.Space, it has {len(found)}: "
            "copy search_spaces/norm_layers.py and change it"
        )
    (space,) = found.values()
    check_space(space, f"--space {path}", str(path))
    return space


def fingerprint(path: Path) -> str:
    """Digest of the file's content: a resumed sweep refuses a changed file. Raises `UserError` if it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UserError(f"--space {path}: cannot be read ({error.strerror}); give a file that is there") from error


def _run_file(path: Path) -> ModuleType:
    fingerprint(path)  # reports a missing file as such
    spec = importlib.util.spec_from_file_location(f"user_space_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"--space {path}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise UserError(f"--space {path}: {_where(error, str(path))}") from error
    return module


def check_space(space: Space, named: str, file: str = "") -> None:
    """Check what the engine relies on, for every preset and group.

    Raises:
        UserError: begins with `named`, and gives the line of an error in `file`.
    """

    def require(holds: object, otherwise: str) -> None:
        if not holds:
            raise UserError(f"{named}: {otherwise}")

    require(_LABEL.fullmatch(space.name), f"the space's name {space.name!r} may only hold A-Z a-z 0-9 . _ -")
    require(space.presets, "it has no presets")
    for key, preset in space.presets.items():
        require(preset.name == key, f"presets[{key!r}] is named {preset.name!r}")
        for group in preset.groups if space.group_by else ("",):
            require(not group or _LABEL.fullmatch(group), f"the group {group!r} may only hold A-Z a-z 0-9 . _ -")
            labels = _labels(space, preset, group, named, file)
            for label in labels:
                require(_LABEL.fullmatch(label), f"the label {label!r} may only hold A-Z a-z 0-9 . _ -")
                require(
                    label not in _TAKEN,
                    f"the label {label!r} is taken: {_TAKEN.get(label)} use it; give the candidate another",
                )
            different = {label.casefold() for label in labels}  # they are folders, also where A is a
            require(len(different) == len(labels), f"two candidates share a label: {', '.join(labels)}")
            require(len(labels) > 1, "there is nothing to compare: give at least two candidates")
            require(
                space.baseline in labels,
                f"no candidate is labelled {space.baseline!r}, which gains are measured against (Space.baseline)",
            )


def _labels(space: Space, preset: Preset, name: str, named: str, file: str) -> list[str]:
    """The candidates' labels; each one's anchor is tried too."""
    group, preset = ({space.group_by: name} if space.group_by else {}), preset.for_group(name)
    try:
        candidates = list(space.candidates(group, preset))
        for candidate in candidates:
            space.anchor(group, candidate, preset)
    except Exception as error:
        raise UserError(f"{named}: {_where(error, file)}") from error
    return [candidate.label for candidate in candidates]


def _where(error: BaseException, file: str) -> str:
    """What went wrong and in which line of the user's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}{f' in line {line}' if line else ''}: {text}"
