"""The cache of everything that can be made again: `$SPEECH_SWEEP_CACHE`, else `~/.cache/speech-sweep`.

All sweeps of a machine share it. A process that uses it holds a shared flock, which ends with the process; freeing
parts of it takes the lock exclusively.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from trainables.base.errors import UserError
from trainables.base.user_path import user_path

VARIABLE = "SPEECH_SWEEP_CACHE"
_SPARE_BYTES = 256 * 2**20  # never fill a disk to the brim


def cache_folder(cache: str | Path | None = None) -> Path:
    """The cache folder: `cache` if given, else the environment's, else the default. Not created here."""
    chosen = cache or os.environ.get(VARIABLE) or Path.home() / ".cache" / "speech-sweep"
    return user_path(chosen).absolute()


def require_free_space(folder: Path, needed: int) -> None:
    """Raise `UserError` unless `folder`'s disk holds `needed` more bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise UserError(
            f"not enough space in {folder}: {_mib(needed)} are needed and {_mib(free)} are free "
            f"({_mib(_SPARE_BYTES)} must stay free): free some, or choose another target or SPEECH_SWEEP_CACHE"
        )


@contextlib.contextmanager
def using_cache() -> Iterator[None]:
    """Nothing of the cache is freed in this block; waits while something is being freed."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a cache that cannot be locked is never freed either
            stack.enter_context(_locked(fcntl.LOCK_SH))
        yield


@contextlib.contextmanager
def freeing_cache() -> Iterator[None]:
    """The cache is unused in this block. Raises `UserError` if it is in use now."""
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
    with open(folder / "in-use.lock", "a") as file:
        fcntl.flock(file, how)
        yield


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
