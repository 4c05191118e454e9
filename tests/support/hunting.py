"""Kills from outside the processes that are listed in a file, as they appear in it."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def hunting(listed: Path, kills: int) -> Iterator[None]:
    """With SIGKILL, while the block runs; at its end all `kills` must have happened."""
    over = threading.Event()
    killed: list[int] = []

    def hunt() -> None:
        while len(killed) < kills and not over.wait(0.05):
            for line in listed.read_text().splitlines()[len(killed) :]:
                os.kill(int(line), signal.SIGKILL)
                killed.append(int(line))

    listed.touch()
    thread = threading.Thread(target=hunt, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert len(killed) == kills
