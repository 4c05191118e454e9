"""How a running sweep is asked to stop: Ctrl-C, SIGTERM, `sweep/stop.py` or the hours it was given.

The first word asks for a clean stop: rounds under way end, are stored and recorded, then the driver leaves.
A second Ctrl-C stops now. Either way the sweep goes on with --resume.
"""

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from sweep.storage import Storage

_REQUESTS = "requests"
STOP_FILE = f"{_REQUESTS}/stop.json"
_EVERY_SECONDS = 2.0  # between looks for a request


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


# -- from another shell, and by the clock ----------------------------------------------------------------


def request_stop(storage: Storage, now: bool = False) -> None:
    """Leave a request where the sweep's driver will find it, on whatever machine it runs."""
    storage.write(STOP_FILE, json.dumps({"now": now}).encode())


def void_requests(storage: Storage) -> None:
    """Those to an earlier start; before `stop_on_request`."""
    storage.delete_prefix(_REQUESTS)


@contextlib.contextmanager
def stop_on_request(
    stop: StopSignal,
    storage: Storage,
    hours_left: Callable[[], float | None],
    say: Callable[[str], None],
    every: float = _EVERY_SECONDS,
) -> Iterator[None]:
    """Look for a request and at the hours that are left, beside the sweep, and say it once it is stopping."""
    over = threading.Event()
    said = False

    def look() -> None:
        nonlocal said
        left = hours_left()
        if left is not None and left <= 0:
            stop.ask("--max-hours are used up")
        request = _read_request(storage)
        if request is not None:
            stop.ask("sweep/stop.py")
        if stop.asked and not said:
            said = True
            say(f"stopping after the rounds under way ({stop.reason}); Ctrl-C stops now")
        if request is not None and request.get("now") is True:
            over.set()
            main = threading.main_thread().ident
            signal.pthread_kill(main or 0, signal.SIGINT)  # as a second Ctrl-C; wakes it wherever it waits

    def watch() -> None:
        while not over.wait(every):
            look()

    thread = threading.Thread(target=watch, name="stop-requests", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(every)


def _read_request(storage: Storage) -> dict[str, Any] | None:
    try:
        request = json.loads(storage.read(STOP_FILE))
    except Exception:  # none there; or storage is away, and then the sweep has other worries
        return None
    return request if isinstance(request, dict) else None
