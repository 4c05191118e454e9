"""Where everything that can be made again is kept: `$SPEECH_SWEEP_CACHE`, else `~/.cache/speech-sweep`."""

import os
import shutil
from pathlib import Path

from trainables.base.errors import UserError

VARIABLE = "SPEECH_SWEEP_CACHE"
_SPARE_BYTES = 256 * 2**20  # never fill a disk to the brim


def cache_folder(cache: str | Path | None = None) -> Path:
    """The cache folder: `cache` if given, else the environment's, else the default. Not created here."""
    chosen = cache or os.environ.get(VARIABLE) or Path.home() / ".cache" / "speech-sweep"
    return Path(chosen).expanduser().absolute()


def require_free_space(folder: Path, needed: int) -> None:
    """Raise `UserError` unless `folder`'s disk holds `needed` more bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise UserError(
            f"not enough space in {folder}: {_mib(needed)} are needed and {_mib(free)} are free "
            f"({_mib(_SPARE_BYTES)} must stay so): free some, or choose another target or SPEECH_SWEEP_CACHE"
        )


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
