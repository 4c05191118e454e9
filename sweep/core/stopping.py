"""How a running sweep is asked to stop: Ctrl-C, SIGTERM, `sweep/stop.py` or the hours it was given.

The first word asks for a clean stop: rounds under way end, are stored and recorded, then the driver leaves.
A second Ctrl-C stops now. Either way the sweep goes on with --resume.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """The sweep was asked to stop; jobs under way stay running in the study, and the next start goes on."""


class TooManyFailures(RuntimeError):
    """Most jobs fail in one and the same way: going on would only make more of them."""


class StopSignal:
    """Whether the sweep is to stop, and why; the first reason stays."""

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
        """Stop after the rounds under way; `error` is what the sweep then ends with."""
        if not self._reason:
            self._reason, self._error = reason, error

    def check(self) -> None:
        """Raises `Interrupted`, or what was asked for, if the sweep is to stop."""
        if self._reason:
            raise self._error(self._reason)


@contextlib.contextmanager
def stop_on_signals(stop: StopSignal) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for a clean stop; the next one raises KeyboardInterrupt. For the main thread.

    The handler prints nothing: it may have interrupted a print.
    """

    def heard(number: int, _: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if stop.asked:
            raise KeyboardInterrupt(name)
        stop.ask(name)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, heard) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as Ctrl-C does: for the seconds before `stop_on_signals`."""

    def heard(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
