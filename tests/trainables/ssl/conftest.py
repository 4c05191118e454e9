"""Artifacts of stages are shared by the tests of a module, in memory."""

import pytest

from tests.support.methods.memory_artifacts import MemoryArtifacts


@pytest.fixture(scope="module")
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()
