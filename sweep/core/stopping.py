"""Stopping a running sweep: Ctrl-C, SIGTERM, `sweep/stop.py` or --max-hours.

The first request stops cleanly: rounds under way finish, are stored and recorded, then the driver exits. A second
Ctrl-C stops at once. Either way the sweep can be continued with --resume.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """The sweep was asked to stop; jobs under way stay RUNNING in the study, and the next start continues them."""


class TooManyFailures(RuntimeError):
    """Most jobs fail for the same reason, so further ones would too."""


class StopSignal:
    """Whether and why the sweep is to stop; only the first reason counts."""

    def __init__(self) -> None:
        self._reason = ""
        self._error: type[BaseException] = Interrupted

    @property
    def asked(self) -> bool:
        return bool(self._reason)

    @property
    def reason(self) -> str:
        return self._reason

    def ask(self, reason: str, error: type[BaseException] = Interrupted) -> None:
        """Stop after the rounds under way; `check` then raises `error`."""
        if not self._reason:
            self._reason, self._error = reason, error

    def check(self) -> None:
        """Raise `Interrupted`, or the error given to `ask`, if the sweep is to stop."""
        if self._reason:
            raise self._error(self._reason)


def stop_on_signals(stop: StopSignal) -> contextlib.AbstractContextManager[None]:
    """Ctrl-C and SIGTERM request a clean stop; a second one raises KeyboardInterrupt. For the main thread.

    The handler prints nothing, since it may have interrupted a print.
    """

    def handle(number: int, _: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if stop.asked:
            raise KeyboardInterrupt(name)
        stop.ask(name)

    return _handling(handle, signal.SIGINT, signal.SIGTERM)


def interrupted_by_sigterm() -> contextlib.AbstractContextManager[None]:
    """SIGTERM raises KeyboardInterrupt like Ctrl-C, in the seconds before `stop_on_signals`."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    return _handling(interrupt, signal.SIGTERM)


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
