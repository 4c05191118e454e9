"""CUDA devices of this process, found without torch, and OpenMP that pins no process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.core.hardware import cuda_devices, unpin
from tests.support import REPOSITORY


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    for name in ("gpus/0000:01:00.0", "gpus/0000:02:00.0", "dev"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, 2),
        ("1", 1),
        ("1,0", 2),
        (" 0 , 1 ", 2),
        ("0,1,2", 2),
        ("GPU-8932f937", 1),
        ("MIG-GPU-8932f937/1/2", 1),
        ("", 0),
        (" ", 0),
        ("-1", 0),
        ("0,-1,1", 1),  # the list ends there
        ("-1,0", 0),
        ("none", 0),
        ("None", 0),
        ("void", 0),
        ("NoDevFiles", 0),
        ("all", 0),
        ("no", 0),
        ("2", 0),
        ("7,0", 0),
        ("0,0", 0),  # twice the same hides all
        (",0", 0),
        ("²", 0),
        ("9" * 400, 0),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(driver: Path, visible: str | None, expected: int) -> None:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert cuda_devices(environ, driver / "gpus", driver / "dev") == expected


def test_a_container_has_only_the_devices_it_was_given(driver: Path) -> None:
    (driver / "dev" / "nvidia0").unlink()
    assert cuda_devices({}, driver / "gpus", driver / "dev") == 1
    (driver / "dev" / "nvidia1").unlink()
    assert cuda_devices({}, driver / "gpus", driver / "dev") == 0


def test_none_without_a_driver(driver: Path) -> None:
    assert cuda_devices({}, driver / "nowhere", driver / "dev") == 0


PINNING = [
    {"OMP_PROC_BIND": "true"},
    {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
    {"OMP_PLACES": "{0}"},
    {"GOMP_CPU_AFFINITY": "0"},
    {"KMP_AFFINITY": "granularity=fine,compact,1,0"},
]


@pytest.mark.parametrize("pinning", PINNING, ids=lambda pinning: "+".join(pinning))
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: no place to be pinned away from")
def test_openmp_pins_no_process(pinning: dict[str, str]) -> None:
    """torch's own OpenMP, loaded in a process with that environment; its children inherit the cores it may use."""
    code = "import os; {} import torch; torch.ones(9).sum(); print(len(os.sched_getaffinity(0)))"
    environ = {**os.environ, **pinning}
    environ.pop("OMP_PROC_BIND" if "OMP_PROC_BIND" not in pinning else "", None)
    cores = [
        int(subprocess.check_output([sys.executable, "-c", code.format(first)], env=environ, cwd=REPOSITORY))
        for first in ("from sweep.core.hardware import unpin; unpin();", "")
    ]
    assert cores[0] == len(os.sched_getaffinity(0))
    if "KMP_AFFINITY" not in pinning:  # of Intel's OpenMP, which torch's wheels do not have
        assert cores[1] == 1


def test_what_it_sets_replaces_what_was_set() -> None:
    environ = {"OMP_PROC_BIND": "spread", "OMP_PLACES": "cores"}
    unpin(environ)
    assert environ == {"OMP_PROC_BIND": "false", "KMP_AFFINITY": "disabled", "OMP_PLACES": "cores"}
