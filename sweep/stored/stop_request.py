"""A request to stop, left in the sweep's own storage: it reaches the driver on whatever machine it runs."""

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sweep.core.stopping import StopSignal
from sweep.stored import layout
from sweep.stored.heartbeat import periodically
from trainables.base.storage.storage import Storage

_EVERY_SECONDS = 2.0  # between polls for a request


def request_stop(storage: Storage, now: bool = False) -> None:
    """Ask the sweep's driver to stop; `now` does not wait for the rounds under way."""
    storage.write(layout.STOP_REQUEST, json.dumps({"now": now}).encode())


def void_requests(storage: Storage) -> None:
    """Delete requests to an earlier start; to be called before `stop_on_request`."""
    storage.delete_prefix(layout.REQUESTS)


@contextlib.contextmanager
def stop_on_request(
    stop: StopSignal,
    storage: Storage,
    hours_left: Callable[[], float | None],
    say: Callable[[str], None],
    every: float = _EVERY_SECONDS,
) -> Iterator[None]:
    """Poll in a thread for a request and for the end of `--max-hours`; `say` is called once, when it is stopping.

    `hours_left` returns seconds, None without a limit; `every` is in seconds.
    """
    said = False

    def look() -> bool:
        nonlocal said
        left = hours_left()
        if left is not None and left <= 0:
            stop.ask("--max-hours are used up")
        request = _read_request(storage)
        if request is not None:
            stop.ask("a stop request")
        if stop.asked and not said:
            said = True
            say(f"stopping after the rounds under way ({stop.reason}); Ctrl-C stops now")
        if request is None or request.get("now") is not True:
            return False
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # as a second Ctrl-C: wakes any wait
        return True

    with periodically(look, every, "stop-requests"):
        yield


def _read_request(storage: Storage) -> dict[str, Any] | None:
    try:
        request = json.loads(storage.read(layout.STOP_REQUEST))
    except Exception:  # no request; or no storage, which the sweep itself reports
        return None
    return request if isinstance(request, dict) else None
