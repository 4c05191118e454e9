"""Who may import whom: the walls between the wings, the floors of sweep/, and no circles anywhere.

Every import counts, wherever it stands: at the top of a file, inside a function, under TYPE_CHECKING. A failure
names the file and the line. docs/architecture.md explains the floors.
"""

import ast
import graphlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sweep import __version__
from tests.support import REPOSITORY
from trainables.config.registry import METHODS

# The rooms of sweep/, from the ground up: a room imports only rooms on the floors below its own.
FLOORS = (
    ("core",),
    ("verdict",),
    ("storage", "plan"),
    ("machines", "study"),
    ("search", "stored", "progress"),
    ("engine", "settings", "report", "tracking"),
    ("driver", "judging"),
    ("commands",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS, start=1) for room in rooms}
# On the top floor: the scripts, in the places where users type them, and the Python API.
TOP = {
    *("run", "prepare", "leaderboard", "judge", "status", "stop", "enhance", "replay", "clean"),
    *("frames", "winners"),
}
MOST_ROOMS = MOST_FILES = 16

MAY_IMPORT = {
    "sweep": {"sweep", "trainables", "search_spaces"},
    "search_spaces": {"search_spaces", "trainables"},
    "trainables": {"trainables"},
}


class Import(NamedTuple):
    """One imported module, and where: `file` below the repository, line number."""

    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"

    @property
    def importer(self) -> str:
        """The module that imports, by its dotted name."""
        parts = self.file.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_module(name: str) -> bool:
    path = REPOSITORY.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _imported(node: ast.AST) -> list[str]:
    """The modules an import statement names; `from package import module` counts as `package.module`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        assert node.module
        members = [f"{node.module}.{alias.name}" for alias in node.names]
        return list(dict.fromkeys(name if _is_module(name) else node.module for name in members))
    return []


def _imports(folder: str) -> Iterator[Import]:
    """Every import of every file below a folder of the repository."""
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for module in _imported(node):
                yield Import(path.relative_to(REPOSITORY), getattr(node, "lineno", 0), module)


def _wing(module: str) -> str:
    return module.split(".")[0]


def _room(module: str) -> str:
    """ "study" for sweep.study.lock; "" for sweep itself and for other wings."""
    wing, _, inside = module.partition(".")
    return inside.split(".")[0] if wing == "sweep" else ""


def _none(violations: list[Import]) -> None:
    assert not violations, "\n" + "\n".join(map(str, violations))


@pytest.mark.parametrize("wing", sorted(MAY_IMPORT))
def test_wings_import_only_what_they_may(wing: str) -> None:
    forbidden = (set(MAY_IMPORT) | {"tests", "benchmarks"}) - MAY_IMPORT[wing]
    _none([found for found in _imports(wing) if _wing(found.module) in forbidden])


def test_rooms_import_only_from_floors_below() -> None:
    def upward(found: Import) -> bool:
        here, there = _room(found.importer), _room(found.module)
        if not there or here == there:
            return False
        return there in TOP or (here not in TOP and FLOOR_OF[there] >= FLOOR_OF[here])

    _none([found for found in _imports("sweep") if upward(found)])


def test_no_module_imports_itself_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for wing in MAY_IMPORT:
        for found in _imports(wing):
            if _wing(found.module) in MAY_IMPORT:
                graph.setdefault(found.importer, set()).add(found.module)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_every_folder_of_sweep_is_a_room_and_every_room_can_be_taken_in() -> None:
    folders = [path for path in (REPOSITORY / "sweep").rglob("*") if any(path.glob("*.py"))]
    assert {path.name for path in folders if path.parent.name == "sweep"} == set(FLOOR_OF)
    assert len(FLOOR_OF) <= MOST_ROOMS
    for folder in folders:
        files = [path.name for path in folder.iterdir() if path.is_file() and path.name != "__init__.py"]
        assert len(files) <= MOST_FILES, f"{folder.relative_to(REPOSITORY)}: {sorted(files)}"


def test_the_top_of_sweep_holds_only_what_users_type_or_import() -> None:
    files = {path.name for path in (REPOSITORY / "sweep").iterdir() if path.is_file()}
    assert files == {f"{name}.py" for name in TOP} | {"__init__.py", "py.typed"}


def test_nothing_at_the_top_of_sweep_shares_its_name_with_another_module() -> None:
    """`python sweep/run.py` puts sweep/ first on the module path, so such a file or folder would be imported."""
    entries = [Path(entry or ".").resolve() for entry in sys.path]
    installed = {path.name.split(".")[0] for entry in entries if entry != REPOSITORY for path in entry.glob("*")}
    assert {"torch", "ray"} <= installed
    assert not (TOP | set(FLOOR_OF)) & (installed | set(sys.stdlib_module_names))


def test_a_methods_folder_never_imports_another_methods() -> None:
    methods = {path.parent.name for path in (REPOSITORY / "trainables").glob("*/method.py")}
    assert {"normalized_ssl", "contrastive_se", "separation"} <= methods
    _none(
        [
            found
            for method in methods
            for found in _imports(f"trainables/{method}")
            if any(found.module.startswith(f"trainables.{other}.") for other in methods - {method})
        ]
    )


@pytest.mark.parametrize(
    ("library", "file"),
    [("ray", "trainables/trainable.py"), ("boto3", "trainables/base/storage/bucket.py")],
)
def test_ray_and_boto3_live_in_one_file_of_trainables_each(library: str, file: str) -> None:
    assert {str(found.file) for found in _imports("trainables") if _wing(found.module) == library} == {file}


def test_no_file_of_sweep_names_a_method() -> None:
    """What the engine, the plan or the report must know of one is in its `MethodInfo`."""
    _none([found for found in _imports("sweep") if set(found.module.split(".")) & set(METHODS)])
    for path in sorted((REPOSITORY / "sweep").rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text()))
        texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
        assert not set(METHODS) & texts, path.relative_to(REPOSITORY)


def test_trainables_know_nothing_of_search_or_tracking() -> None:
    _none([found for found in _imports("trainables") if _wing(found.module) in {"optuna", "mlflow"}])


def test_benchmarks_import_nothing_from_tests() -> None:
    _none([found for found in _imports("benchmarks") if _wing(found.module) == "tests"])


@pytest.mark.parametrize(
    "module",
    [
        "sweep.commands.run",
        "sweep.settings.new_plan",
        "sweep.settings.dry_run",
        "search_spaces",
        "trainables.config.registry",
    ],
)
def test_help_and_dry_run_import_nothing_heavy(module: str) -> None:
    heavy = ["torch", "ray", "mlflow", "optuna", "boto3", "transformers", "pandas", "matplotlib"]
    code = f"import {module}, sys; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_one_version() -> None:
    """Of the project, the package, the citation, and run.py, which is copied to cluster heads alone."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert project == __version__
    assert f'VERSION = "{__version__}"' in (REPOSITORY / "sweep" / "run.py").read_text()
    assert f"\nversion: {__version__}\n" in (REPOSITORY / "CITATION.cff").read_text()


def test_constraints_give_every_dependency_one_version_within_its_range() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    listed = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    ranges = {each.name: each.specifier for each in map(Requirement, listed) if each.name != project["name"]}
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    exact = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert exact.keys() == ranges.keys()
    assert not [name for name, version in exact.items() if not ranges[name].contains(version)]
