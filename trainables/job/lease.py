"""Ends a worker that is cut off from the sweep: by then its job may have been given to another.

A lost connection to storage alone ends no work (the next checkpoint will show), nor does one to the driver alone;
only a process that has reached neither for a minute stops.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence

LEASE_SECONDS = 60.0
_EVERY_SECONDS = 10.0  # between attempts at each contact
_EXIT_STATUS = 75  # EX_TEMPFAIL in sysexits.h, for the logs


class Lease:
    """Tries its `contacts` in the background; `expire` is called when none has succeeded for `seconds`.

    A contact returns if it has reached the other side and raises if not; it may take any time.
    """

    def __init__(
        self,
        contacts: Sequence[Callable[[], None]],
        seconds: float = LEASE_SECONDS,
        every: float = _EVERY_SECONDS,
        expire: Callable[[], None] = lambda: os._exit(_EXIT_STATUS),
    ) -> None:
        self._seconds = seconds
        self._every = every
        self._expire = expire
        self._renewed = threading.Event()
        self._over = threading.Event()
        for contact in contacts:
            threading.Thread(target=self._keep, args=(contact,), name="lease", daemon=True).start()
        threading.Thread(target=self._guard, name="lease-guard", daemon=True).start()

    def close(self) -> None:
        """Stop watching; `expire` is no longer called."""
        self._over.set()
        self._renewed.set()

    def _keep(self, contact: Callable[[], None]) -> None:
        while not self._over.is_set():
            with contextlib.suppress(Exception):
                contact()
                self._renewed.set()
            self._over.wait(self._every)

    def _guard(self) -> None:
        while self._renewed.wait(self._seconds):
            if self._over.is_set():
                return
            self._renewed.clear()
        self._expire()
