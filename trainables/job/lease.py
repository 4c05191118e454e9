"""Ends a worker that is cut off from the sweep: by then its job may have been given to another.

A lost connection to storage alone ends no work (the next checkpoint will show), nor does one to the driver alone;
only a process that has reached neither for a minute stops. The minute is counted in turns of the process, not on a
clock: one that was suspended, or waited for a busy machine, has had no chance to reach anything meanwhile.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence

LEASE_SECONDS = 60.0
_EVERY_SECONDS = 10.0  # between attempts at each contact
_TURNS = 60  # of the guard without a contact
EXIT_STATUS = 75  # EX_TEMPFAIL in sysexits.h; the driver knows it (sweep/engine/deaths.py)


class Lease:
    """Tries its `contacts` in the background; `expire` is called when none has succeeded for `seconds` of its own time.

    A contact returns if it has reached the other side and raises if not; it may take any time.
    """

    def __init__(
        self,
        contacts: Sequence[Callable[[], None]],
        seconds: float = LEASE_SECONDS,
        every: float = _EVERY_SECONDS,
        expire: Callable[[], None] = lambda: os._exit(EXIT_STATUS),
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
        """However late a turn comes, it counts as one: the contacts' threads came no earlier."""
        missed = 0
        while missed < _TURNS:
            missed = 0 if self._renewed.wait(self._seconds / _TURNS) else missed + 1
            if self._over.is_set():
                return
            self._renewed.clear()
        self._expire()
