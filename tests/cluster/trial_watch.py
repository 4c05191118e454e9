"""Records which hosts run trials, from their process lists."""

import threading
from types import TracebackType

from tests.cluster.hosts import Host

TRIAL = "ray::ResourceTrainable"  # Tune's name for a trainable with resources
_EVERY_SECONDS = 0.3


class TrialWatch:
    """`with TrialWatch(hosts) as watch:`; afterwards `watch.trials_seen` names the hosts that ran trials."""

    def __init__(self, hosts: list[Host]) -> None:
        self.trials_seen: set[str] = set()
        self._hosts = hosts
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "TrialWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            for host in self._hosts:
                if host.runs(TRIAL):
                    self.trials_seen.add(host.name)
