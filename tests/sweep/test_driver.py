"""What the driver makes sure of before the first job; whole sweeps are in test_whole_sweep.py."""

from pathlib import Path

import pytest

from sweep.cost import disk_bytes
from sweep.driver import _require_space
from sweep.storage import Storage
from tests.sweep import small_sweep
from trainables.errors import UserError


class Disk(Storage):
    """A folder on a disk with so much space."""

    free = 0

    def free_bytes(self) -> int | None:
        return self.free


def test_a_sweep_that_does_not_fit_is_refused_before_it_starts(tmp_path: Path) -> None:
    plan, disk = small_sweep.make_plan(tmp_path, corpus_summary={}), Disk(tmp_path)
    disk.free = int(disk_bytes(plan)) + 1
    _require_space(plan, disk)
    disk.free = int(disk_bytes(plan)) - 1
    with pytest.raises(
        UserError, match=r"GB are needed and .* GB are free; free some, or choose another --output"
    ):
        _require_space(plan, disk)


def test_a_resume_needs_only_what_is_not_there_yet(tmp_path: Path) -> None:
    plan, disk = small_sweep.make_plan(tmp_path, corpus_summary={}), Disk(tmp_path)
    disk.free = int(disk_bytes(plan) / 2) + 1
    stored = tmp_path / "jobs" / "tera" / "final" / "estimates.bin"
    stored.parent.mkdir(parents=True)
    with stored.open("wb") as file:
        file.truncate(int(disk_bytes(plan) / 2) + 1)  # holes take no space
    _require_space(plan, disk)
