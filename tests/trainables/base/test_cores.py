"""The cores a process may keep busy: its affinity, and a container's quota in both versions of control groups."""

import os
from pathlib import Path

import pytest

from trainables.base.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))


def test_the_cores_of_this_process_count_and_not_those_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert usable_cores(Path("nowhere")) == 2


def test_a_platform_without_affinity_has_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores(Path("nowhere")) == 64


def process_in(folder: Path, group: str, root: str, version: int, files: dict[str, str]) -> Path:
    """A process's folder of /proc, whose control group is `group`; `files` are below the mount point of `root`."""
    process, point = folder / "proc", folder / "mounted here"
    process.mkdir()
    for name, content in files.items():
        (point / name).parent.mkdir(parents=True, exist_ok=True)
        (point / name).write_text(content)
    shown = str(point).replace(" ", "\\040")
    kind = {1: "cgroup cgroup rw,cpu,cpuacct", 2: "cgroup2 cgroup2 rw,nsdelegate"}[version]
    groups = {1: f"9:name=systemd:/\n4:cpu,cpuacct:{group}\n3:cpuset:/\n", 2: f"0::{group}\n"}[version]
    (process / "cgroup").write_text(groups)
    (process / "mountinfo").write_text(
        "22 1 252:0 / / rw,relatime - ext4 /dev/vda rw\n"
        f"30 22 0:26 {root} {shown} rw,nosuid shared:4 master:1 - {kind}\n"
        "31 22 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    )
    return process


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("6400000 100000", 8),
     ("150000 50000", 3), ("", 8), ("0 0", 8)],
)  # fmt: skip
def test_the_quota_of_a_container_with_a_namespace_of_its_own(tmp_path: Path, quota: str, expected: int) -> None:
    assert usable_cores(process_in(tmp_path, "/", "/", 2, {"cpu.max": quota})) == expected


def test_the_smallest_quota_of_the_groups_above_counts(tmp_path: Path) -> None:
    files = {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000", "a/b/c/cpu.max": "500000 100000"}
    assert usable_cores(process_in(tmp_path, "/a/b/c", "/", 2, files)) == 3


@pytest.mark.parametrize("group", ["/docker/f00", "/docker/f00/inner", "/../../outside", "/elsewhere"])
def test_a_container_that_sees_the_machines_names_of_groups(tmp_path: Path, group: str) -> None:
    files = {"cpu.max": "200000 100000"}
    assert usable_cores(process_in(tmp_path, group, "/docker/f00", 2, files)) == 2


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("400000", 4), ("30000", 1)])
def test_a_quota_of_version_1(tmp_path: Path, quota: str, expected: int) -> None:
    files = {"job/cpu.cfs_quota_us": f"{quota}\n", "job/cpu.cfs_period_us": "100000\n"}
    assert usable_cores(process_in(tmp_path, "/job", "/", 1, files)) == expected


def test_a_damaged_table_limits_nothing(tmp_path: Path) -> None:
    process = process_in(tmp_path, "/", "/", 2, {"cpu.max": "200000 100000"})
    (process / "cgroup").write_bytes(b"\xff\xfe nonsense")
    assert usable_cores(process) == 8
