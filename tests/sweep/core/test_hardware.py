"""Cores and CUDA devices of this process, found without torch."""

import os
from pathlib import Path

import pytest

from sweep.core.hardware import cuda_devices, usable_cores


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


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 2),
        ({"CUDA_VISIBLE_DEVICES": "1"}, 1),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, 2),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, 0),
    ],
)
def test_devices_that_the_driver_knows_and_nothing_hides(driver: Path, environ: dict[str, str], expected: int) -> None:
    assert cuda_devices(environ, driver) == expected


def test_none_without_a_driver(tmp_path: Path) -> None:
    assert cuda_devices({}, tmp_path / "nowhere") == 0
