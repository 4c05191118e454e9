"""Alive or dead: what a sweep's heartbeat says, and what others conclude."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweep.stored import layout
from sweep.stored.heartbeat import beating, pulse_of, read_pulse
from trainables.base.storage.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def beat(**changes: Any) -> dict[str, Any]:
    return {"state": "running", "pid": os.getpid(), "host": "here", "time": 1000.0} | changes


def test_a_running_driver_beats_and_tells_its_progress(storage: Storage) -> None:
    with beating(storage, lambda: {"phase": "searching"}):
        pulse = read_pulse(storage)
        assert pulse.life == "running"
        assert pulse.beat is not None
        assert pulse.beat["phase"] == "searching"
        assert pulse.beat["pid"] == os.getpid()


def test_beats_follow_each_other(storage: Storage) -> None:
    phases = iter(range(1000))
    seen: set[int] = set()
    with beating(storage, lambda: {"phase": next(phases)}, every=0.01):
        while len(seen) < 3:
            seen.add(json.loads(storage.read(layout.HEARTBEAT))["phase"])


def test_the_last_beat_says_how_it_ended(storage: Storage) -> None:
    with beating(storage, dict):
        pass
    assert read_pulse(storage).life == "finished"
    with pytest.raises(KeyboardInterrupt), beating(storage, dict):
        raise KeyboardInterrupt
    assert read_pulse(storage).life == "interrupted"


def test_a_sweep_that_was_only_planned_has_no_pulse(storage: Storage) -> None:
    assert read_pulse(storage).life == "never started"


@pytest.mark.parametrize(
    ("changes", "now", "life"),
    [
        ({}, 1003.0, "running"),
        ({}, 1200.0, "not responding"),  # its process is there, and silent
        ({"host": "elsewhere"}, 1030.0, "running"),
        ({"host": "elsewhere"}, 1200.0, "dead"),
        ({"host": "elsewhere"}, 990.0, "running"),  # clocks differ
        ({"state": "interrupted"}, 9000.0, "interrupted"),
    ],
)
def test_what_a_beat_means(changes: dict[str, Any], now: float, life: str) -> None:
    assert pulse_of(beat(**changes), now, "here").life == life


def test_a_killed_driver_is_dead_at_once(storage: Storage) -> None:
    assert pulse_of(beat(pid=dead_pid()), 1000.5, "here").life == "dead"


def test_storage_that_fails_never_stops_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with beating(Storage(tmp_path / "file" / "below"), dict):
        pass
