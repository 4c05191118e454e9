"""A space from a Python file of the user's own: `--space my_space.py`.

The file defines one `Space` (search_spaces/norm_layers.py is the example to copy). It runs on the driver
only, with the user's rights; workers get plain JSON configurations.
"""

import hashlib
import importlib.util
import re
import traceback
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from search_spaces.space import Preset, Space
from trainables.base.errors import UserError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a folder's name and a tag's value
# What stands among the candidates' labels without being one: in the rows, or on the pages to listen to.
_TAKEN = {"noisy": "the scores of the unprocessed input", "clean": "the references one listens to"}


def is_space_file(name: str) -> bool:
    return name.endswith(".py")


def load_space(path: Path, ours: Collection[Space]) -> Space:
    """The one space that the file defines; it may import `ours`. Raises `UserError` if it cannot be used."""
    values = vars(_run_file(path)).values()
    found = {id(v): v for v in values if isinstance(v, Space) and v not in ours}
    if len(found) != 1:
        raise UserError(
            f"--space {path}: the file must define one search_spaces.space.Space, it has {len(found)}: "
            "copy search_spaces/norm_layers.py and change it"
        )
    (space,) = found.values()
    _check(space, path)
    return space


def fingerprint(path: Path) -> str:
    """Of the file's content: a resumed sweep refuses another one. Raises `UserError` if it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UserError(
            f"--space {path}: cannot be read ({error.strerror}); give a file that is there"
        ) from error


def _run_file(path: Path) -> ModuleType:
    fingerprint(path)  # a missing file is told as one
    spec = importlib.util.spec_from_file_location(f"user_space_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"--space {path}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise UserError(f"--space {path}: {_where(error, path)}") from error
    return module


def _check(space: Space, path: Path) -> None:
    """What the engine relies on, asked of every preset and group."""
    _require(
        bool(_LABEL.fullmatch(space.name)),
        path,
        f"the space's name {space.name!r} may only hold A-Z a-z 0-9 . _ -",
    )
    _require(bool(space.presets), path, "it has no presets")
    for name, preset in space.presets.items():
        _require(preset.name == name, path, f"presets[{name!r}] is named {preset.name!r}")
        for group in preset.groups if space.group_by else ("",):
            _check_group(space, preset, group, path)


def _check_group(space: Space, preset: Preset, name: str, path: Path) -> None:
    group = {space.group_by: name} if space.group_by else {}
    try:
        candidates = list(space.candidates(group, preset))
        labels = [candidate.label for candidate in candidates]
        for candidate in candidates:
            space.anchor(group, candidate, preset)
    except Exception as error:
        raise UserError(f"--space {path}: {_where(error, path)}") from error
    for label in labels:
        _require(bool(_LABEL.fullmatch(label)), path, f"the label {label!r} may only hold A-Z a-z 0-9 . _ -")
        _require(
            label not in _TAKEN,
            path,
            f"the label {label!r} is taken: {_TAKEN.get(label)} bear it; give the candidate another",
        )
    _require(len(set(labels)) == len(labels), path, f"two candidates share a label: {', '.join(labels)}")
    _require(len(labels) > 1, path, "there is nothing to compare: give at least two candidates")
    _require(
        space.baseline in labels,
        path,
        f"no candidate is labelled {space.baseline!r}, which gains are measured against (Space.baseline)",
    )


def _require(holds: bool, path: Path, otherwise: str) -> None:
    if not holds:
        raise UserError(f"--space {path}: {otherwise}")


def _where(error: BaseException, path: Path) -> str:
    """What went wrong and in which line of the user's file."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}{f' in line {line}' if line else ''}: {text}"
