"""The background thread that sends spooled records to MLflow and retries while MLflow is unreachable."""

import threading
import time
from collections.abc import Callable

from sweep.tracking.mlflow_view import MlflowView
from sweep.tracking.spool import Spool

_CHUNK = 500  # records per round; halved after a failure, since a busy server may not manage as many in time
_FIRST_PAUSE = 1.0  # seconds before the second attempt; doubles up to the longest
_LONGEST_PAUSE = 30.0
_GATHER = 2.0  # seconds to collect records, so that one call sends many


class MlflowSender:
    """Delivers in order, retries with back-off while MLflow is unreachable, and never raises into the sweep."""

    def __init__(self, spool: Spool, view: MlflowView, say: Callable[[str], None]) -> None:
        self._spool = spool
        self._view = view
        self._say = say
        self._closing = threading.Event()
        self._stop = threading.Event()
        self._chunk = _CHUNK
        self._outage = ""  # why MLflow cannot be reached, "" while it can
        self._thread = threading.Thread(target=self._run, name="mlflow-sender", daemon=True)
        self._thread.start()

    def close(self, timeout: float) -> str:
        """Deliver all waiting records; give up after `timeout` seconds without progress. Returns why, or ""."""
        self._closing.set()
        waiting, deadline = len(self._spool), time.monotonic() + timeout
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.05)
            if len(self._spool) < waiting:
                waiting, deadline = len(self._spool), time.monotonic() + timeout
        self._stop.set()
        self._thread.join(1.0)
        return "" if waiting == 0 else self._outage or f"no answer within {timeout:g} s"

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            if not len(self._spool):
                if self._closing.is_set():
                    return
                self._closing.wait(_GATHER)
            elif self._deliver():
                pause = _FIRST_PAUSE
                self._closing.wait(_GATHER)
            else:
                if self._closing.wait(pause):
                    self._stop.wait(_FIRST_PAUSE)  # while closing, retry after the shortest pause
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _deliver(self) -> bool:
        records = self._spool.waiting(self._chunk)
        try:
            self._view.apply(records)
        except Exception as error:  # MLflow raises whatever its database or HTTP library does
            reason = self._view.describe(error)
            if not self._outage:
                self._say(f"MLflow cannot be reached ({reason}); the sweep continues and its records are kept")
            self._outage = reason
            self._chunk = max(1, self._chunk // 2)
            return False
        self._spool.delivered(len(records))
        if self._outage:
            self._say("MLflow is back; the kept records have been delivered")
        self._outage = ""
        self._chunk = min(2 * self._chunk, _CHUNK)
        while self._view.rejected:
            self._say(f"MLflow refused a record: {self._view.rejected.pop(0)}")
        return True
