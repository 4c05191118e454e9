"""Records which hosts run trials, from their process lists."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.cluster.hosts import Host

TRIAL = "ray::ResourceTrainable"  # Tune's name for a trainable with resources
_EVERY_SECONDS = 0.3


@contextmanager
def watching_trials(hosts: Sequence[Host]) -> Iterator[set[str]]:
    """The names of the hosts that have run trials; they are complete once the block has ended."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            seen.update(host.name for host in hosts if host.runs(TRIAL))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
