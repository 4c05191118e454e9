"""Machines are taken once, at the first need, and whatever starts them leaves the sweep its signals."""

import signal
from collections.abc import Iterator

import pytest

from sweep.core.stopping import StopSignal, stop_on_signals
from sweep.machines.workers import Workers


@pytest.fixture
def stop() -> Iterator[StopSignal]:
    stop = StopSignal()
    with stop_on_signals(stop):
        yield stop


def test_they_start_at_the_first_need_and_only_once() -> None:
    begun: list[str] = []

    def begin() -> list[str]:
        begun.append("Ray")
        return ["warming"]

    workers = Workers(begin)
    assert (workers.started, begun) == (False, [])
    assert [workers.start(), workers.start()] == [["warming"], ["warming"]]
    assert (workers.started, begun) == (True, ["Ray"])


def test_where_they_cannot_be_used_the_next_need_tries_again() -> None:
    outcomes = iter([ValueError("no machine"), None])

    def begin() -> tuple[()]:
        if (error := next(outcomes)) is not None:
            raise error
        return ()

    workers = Workers(begin)
    with pytest.raises(ValueError, match="no machine"):
        workers.start()
    assert not workers.started
    assert workers.start() == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_still_stops_a_sweep_that_started_them_on_the_way(stop: StopSignal, number: signal.Signals) -> None:
    def begin() -> tuple[()]:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)  # as Ray does, with a handler of its own
        return ()

    Workers(begin).start()
    signal.raise_signal(number)
    assert stop.asked
