"""The floors of `trainables/`: a room imports only rooms on lower floors, and no imports form a circle.

Every import counts, also those inside functions and under TYPE_CHECKING.
"""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.support import REPOSITORY

WING = REPOSITORY / "trainables"
# From the ground up. Files directly in trainables/ are the contract of a method and what runs it; on top of them
# every folder with a method.py is a method.
FLOORS = (
    {"base"},
    {"job", "metrics", "losses", "networks"},
    {"audio", "config"},
    {"training"},
    {"normalization", "ssl"},
    {"the contract"},
)
METHODS = {path.parent.name for path in WING.glob("*/method.py")}
MOST_FILES = 16  # in one room


def _room(module: str) -> str:
    room = module.split(".")[1]
    return room if (WING / room).is_dir() else "the contract"


def _floor(room: str) -> int:
    floors = [number for number, rooms in enumerate((*FLOORS, METHODS)) if room in rooms]
    assert len(floors) == 1, f"trainables/{room} is on no floor of this list"
    return floors[0]


def _imported(tree: ast.AST) -> Iterator[str]:
    """The modules of trainables/ that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("trainables."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "trainables":
            for alias in node.names:
                inner = REPOSITORY.joinpath(*node.module.split("."), alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def _imports() -> dict[str, set[str]]:
    """What every module of trainables/ imports of trainables/."""
    found = {}
    for path in WING.rglob("*.py"):
        module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        found[module] = set(_imported(ast.parse(path.read_text()))) - {module}
    del found["trainables"]
    return found


def test_rooms_import_lower_floors_only_and_methods_never_one_another() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in _imports().items()
        for other in others
        if _room(module) != _room(other) and _floor(_room(module)) <= _floor(_room(other))
    ]
    assert upward == []


def test_no_imports_form_a_circle() -> None:
    TopologicalSorter(_imports()).prepare()


def test_no_room_has_too_many_files() -> None:
    rooms = {path.parent for path in WING.rglob("*.py")}
    crowded = {room.name for room in rooms if len(set(room.glob("*.py")) - {room / "__init__.py"}) > MOST_FILES}
    assert crowded == set()


def test_audio_files_are_read_in_one_place() -> None:
    """The others write: LibriMix rounds through a file in memory, listening clips and enhanced audio are results."""
    reader = REPOSITORY / "trainables" / "audio" / "corpus" / "audio_files.py"
    readers = {
        path
        for wing in (WING, REPOSITORY / "sweep", REPOSITORY / "search_spaces")
        for path in wing.rglob("*.py")
        if re.search(
            r"soundfile\.(read|info|blocks|SoundFile)\b|wavfile|torchaudio|librosa\.load|audioread", path.read_text()
        )
    }
    assert readers == {reader, REPOSITORY / "trainables" / "audio" / "recipes" / "librimix.py"}
