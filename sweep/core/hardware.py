"""The CPU model and the usable CUDA devices, found without importing torch, and OpenMP without pinned threads."""

import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/gpus")  # one folder per device of the machine, made by NVIDIA's driver
_CPU_FILE = Path("/proc/cpuinfo")
_NODES = Path("/dev")  # a container sees the machine's /proc/driver, but only the device nodes that it was given

# Every trial is a process with a few threads. OpenMP's pinning, which cluster modules like to set, counts places from
# the first core in each of them: all trials would share that core. These win over OMP_PLACES and GOMP_CPU_AFFINITY.
UNPINNED = {"OMP_PROC_BIND": "false", "KMP_AFFINITY": "disabled"}


def unpin(environ: MutableMapping[str, str] = os.environ) -> None:
    """Keep OpenMP from pinning this process and those it starts; to be called before numpy or torch is loaded."""
    environ.update(UNPINNED)


def cpu_model() -> str:
    """The name of this machine's CPU; "" where the system does not report it."""
    if not _CPU_FILE.exists():
        return ""
    lines = _CPU_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def cuda_devices(environ: Mapping[str, str] = os.environ, driver: Path = _DRIVER, nodes: Path = _NODES) -> int:
    """Devices that the driver knows, whose nodes are here, and that CUDA_VISIBLE_DEVICES does not hide."""
    known = len(list(driver.iterdir())) if driver.is_dir() else 0
    present = min(known, sum(bool(re.fullmatch(r"nvidia\d+", node.name)) for node in nodes.glob("nvidia*")))
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    return present if visible is None else min(present, _visible(visible, present))


def _visible(text: str, present: int) -> int:
    """How many devices a list names, as CUDA reads it.

    It ends at the first entry that is no device (-1, none, void, NoDevFiles), and one named twice hides all.
    """
    named: list[str] = []
    for entry in text.split(","):
        name = entry.strip()
        if number := re.match(r"[0-9]{1,9}", name):  # what follows the digits is ignored
            name = str(int(number[0]))
        if not (int(name) < present if number else name.startswith(("GPU-", "MIG-"))):
            break
        named.append(name)
    return len(named) if len(set(named)) == len(named) else 0
