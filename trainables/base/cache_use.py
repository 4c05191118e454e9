"""Who uses this machine's cache: sweeps share it, and what frees parts of it needs it alone.

An flock that every process at work on the cache shares and that dies with its holder.
"""

import contextlib
import fcntl
from collections.abc import Iterator

from trainables.base.cache import cache_folder
from trainables.base.errors import UserError

_LOCK = "in-use.lock"


@contextlib.contextmanager
def using_cache() -> Iterator[None]:
    """Nothing of the cache is freed meanwhile; waits while something is being freed."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(
            OSError
        ):  # what cannot be locked cannot be freed with `freeing_cache` either
            stack.enter_context(_locked(fcntl.LOCK_SH))
        yield


@contextlib.contextmanager
def freeing_cache() -> Iterator[None]:
    """Nobody uses the cache meanwhile. Raises `UserError` where somebody does now."""
    try:
        with _locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError:
        raise UserError(
            f"a sweep on this machine is using {cache_folder()}: wait for it, or stop it first (sweep/stop.py)"
        ) from None


@contextlib.contextmanager
def _locked(how: int) -> Iterator[None]:
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / _LOCK, "a") as file:
        fcntl.flock(file, how)
        yield
