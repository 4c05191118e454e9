"""Machines are taken once, at the first need."""

import pytest

from sweep.machines.workers import Workers


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
