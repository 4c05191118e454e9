"""One word stops a sweep cleanly, a second one now; both leave it so that it can go on."""

import os
import signal
import threading
from pathlib import Path

import pytest

from sweep.core.stopping import Interrupted, StopSignal, stop_on_signals
from sweep.stored.heartbeat import Hours
from sweep.stored.stop_request import request_stop, stop_on_request, void_requests
from trainables.base.storage.storage import Storage


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(number: int) -> None:
    stop = StopSignal()
    before = signal.getsignal(number)
    with stop_on_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_a_stop_that_was_asked_for_interrupts_where_it_is_checked() -> None:
    stop = StopSignal()
    stop.check()
    stop.ask("first")
    stop.ask("second")
    with pytest.raises(Interrupted, match="first"):
        stop.check()


def _wait_for(stop: StopSignal) -> None:
    for _ in range(60_000):
        if stop.asked:
            return
        threading.Event().wait(0.01)
    raise AssertionError("never asked to stop")


def test_a_request_from_another_shell_is_heard_and_said_once(tmp_path: Path) -> None:
    stop, storage = StopSignal(), Storage(tmp_path)
    said: list[str] = []
    with stop_on_request(stop, storage, lambda: None, said.append, every=0.01):
        request_stop(storage)
        _wait_for(stop)
        threading.Event().wait(0.1)
    assert stop.reason == "a stop request"
    assert len(said) == 1


def test_a_request_to_stop_now_interrupts_at_once(tmp_path: Path) -> None:
    stop, storage = StopSignal(), Storage(tmp_path)

    def work() -> None:
        request_stop(storage, now=True)
        threading.Event().wait(60)

    with (
        pytest.raises(KeyboardInterrupt),
        stop_on_signals(stop),
        stop_on_request(stop, storage, lambda: None, print, every=0.01),
    ):
        work()


def test_a_request_to_an_earlier_start_is_void(tmp_path: Path) -> None:
    stop, storage = StopSignal(), Storage(tmp_path)
    request_stop(storage)
    void_requests(storage)
    with stop_on_request(stop, storage, lambda: None, print, every=0.01):
        threading.Event().wait(0.1)
    assert not stop.asked


def test_a_sweep_stops_when_its_hours_are_used_up(tmp_path: Path) -> None:
    stop, storage = StopSignal(), Storage(tmp_path)
    with stop_on_request(stop, storage, lambda: 0.0, print, every=0.01):
        _wait_for(stop)
    assert "--max-hours" in stop.reason


def test_hours_count_over_all_starts(tmp_path: Path) -> None:
    storage, now = Storage(tmp_path), [100.0]
    hours = Hours(storage, 2, clock=lambda: now[0])
    now[0] += 3600
    assert hours.left() == 3600
    storage.write("heartbeat.json", b'{"spent": 3600.0}')
    again = Hours(storage, 2, clock=lambda: now[0])
    now[0] += 1800
    assert again.left() == 1800
    assert Hours(storage, None).left() is None
