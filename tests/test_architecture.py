"""Who may import whom. The wings and their arrows are the house plan; this test holds the walls up."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from trainables.config.registry import METHODS

WINGS = {"sweep", "trainables", "search_spaces"}
ALLOWED = {
    "sweep": {"sweep", "trainables", "search_spaces"},
    "search_spaces": {"search_spaces", "trainables"},
    "trainables": {"trainables"},
}
METHOD_FOLDERS = set(METHODS)


def _imports(path: Path) -> set[str]:
    """Every module a file imports, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _files(wing: str) -> list[Path]:
    return sorted((REPOSITORY / wing).rglob("*.py"))


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_arrows_between_the_wings(wing: str) -> None:
    for path in _files(wing):
        ours = {module.split(".")[0] for module in _imports(path)} & WINGS
        assert ours <= ALLOWED[wing], f"{path.relative_to(REPOSITORY)} imports {sorted(ours - ALLOWED[wing])}"


def test_a_methods_folder_never_imports_another_methods() -> None:
    for path in _files("trainables"):
        home = path.relative_to(REPOSITORY / "trainables").parts[0]
        if home not in METHOD_FOLDERS:
            continue
        for module in _imports(path):
            parts = module.split(".")
            if parts[0] == "trainables" and len(parts) > 1:
                assert parts[1] not in METHOD_FOLDERS - {home}, (
                    f"{path.relative_to(REPOSITORY)} imports {module}"
                )


def test_no_file_of_sweep_names_a_method() -> None:
    """What the engine, the plan or the report must know of one is in its `MethodInfo`."""
    for path in _files("sweep"):
        folders = {module.split(".")[1] for module in _imports(path) if module.startswith("trainables.")}
        tree = ast.parse(path.read_text())
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not METHOD_FOLDERS & (folders | texts), path.relative_to(REPOSITORY)


def test_ray_lives_in_one_file_of_trainables() -> None:
    users = [p.name for p in _files("trainables") if any(m.split(".")[0] == "ray" for m in _imports(p))]
    assert users == ["trainable.py"]


@pytest.mark.parametrize("library", ["optuna", "mlflow", "boto3"])
def test_trainables_know_nothing_of_search_tracking_or_s3_clients(library: str) -> None:
    for path in _files("trainables"):
        assert library not in {module.split(".")[0] for module in _imports(path)}, path


def test_no_file_of_sweep_bears_the_name_of_another_module() -> None:
    """`python sweep/run.py` puts sweep/ first on the module path: such a file would be imported instead."""
    installed = {path.name.removesuffix(".py") for entry in sys.path for path in Path(entry or ".").glob("*")}
    taken = (set(sys.stdlib_module_names) | installed) - WINGS - {"tests"}
    names = {path.stem for path in (REPOSITORY / "sweep").glob("*.py")} - {"__init__"}
    assert not names & taken


@pytest.mark.parametrize(
    "module",
    [
        "sweep.commands.run",
        "sweep.settings.planning",
        "sweep.settings.dry_run",
        "search_spaces",
        "trainables.config.registry",
    ],
)
def test_what_help_and_dry_run_import_is_light(module: str) -> None:
    heavy = ["torch", "ray", "mlflow", "optuna", "transformers", "pandas", "matplotlib"]
    code = f"import {module}, sys; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_one_version() -> None:
    """run.py is copied to cluster heads alone, so it carries its version."""
    import tomllib

    from sweep import __version__

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    script = (REPOSITORY / "sweep" / "run.py").read_text()
    assert project == __version__
    assert f'VERSION = "{__version__}"' in script
