"""How many cores there are is a question about this process, where the platform can answer it."""

import os

import pytest

from sweep.core.hardware import usable_cores


def test_the_cores_of_this_process_count_and_not_those_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert usable_cores() == 2


def test_a_platform_without_affinity_has_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert usable_cores() == 8
