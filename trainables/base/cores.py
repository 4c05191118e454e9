"""How many cores this process may keep busy, found without importing torch."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_PROCESS = Path("/proc/self")


def usable_cores(process: Path = _PROCESS) -> int:
    """The cores that affinity (taskset, cpusets, Slurm) leaves, no more than a container's quota; at least 1.

    A quota is rounded down: of a process too many, each is stopped for a part of every period. `process` is the
    process's folder in /proc.
    """
    known = hasattr(os, "sched_getaffinity")  # on Linux
    allowed = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return max(1, int(min(allowed, *_quotas(process))))


def _quotas(process: Path) -> Iterator[float]:
    """The cores' worth of time of every control group that this process is in, infinity first."""
    yield math.inf
    try:
        groups = [line.split(":", 2) for line in (process / "cgroup").read_text(encoding="utf-8").splitlines()]
        mounts = (process / "mountinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # no /proc, or one that is not Linux's
        return
    paths = {controller: path for _, controllers, path in groups for controller in controllers.split(",")}
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        root, point = (field.replace("\\040", " ") for field in before.split()[3:5])
        kind, _, options = after.split()[:3]
        controller = {"cgroup2": "", "cgroup": "cpu"}.get(kind)
        if controller in paths and (kind == "cgroup2" or "cpu" in options.split(",")):
            for folder in _folders(Path(point), root, paths[str(controller)]):
                yield _quota(folder)


def _folders(point: Path, root: str, path: str) -> list[Path]:
    """The group's folder and those above it, up to the mount point; the mount point where it lies outside."""
    inside = Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path()
    if ".." in inside.parts:  # seen from within another namespace
        inside = Path()
    return [point / each for each in (inside, *inside.parents)]


def _quota(folder: Path) -> float:
    """Of version 2 (`cpu.max`: "150000 100000" or "max 100000") or version 1 of control groups."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period")
            )
        cores = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
    return cores if cores > 0 else math.inf  # -1: no quota
