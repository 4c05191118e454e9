"""Records every read of test audio, so that "test was scored once" can be checked afterwards.

One JSON line per read, appended by the driver before the read happens: a crash may count a read too many,
never one too few.
"""

import json
from datetime import UTC, datetime

from sweep.stored import layout
from trainables.base.storage.storage import Storage


class ReadLedger:
    """The append-only ledger of one sweep; only its driver writes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def record(self, group: str, purpose: str, plan: str) -> None:
        """Record a read of the group's test audio that is about to happen; `plan` is the frozen plan's hash."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"group": group, "purpose": purpose, "plan": plan, "time": time}).encode() + b"\n"
        self._storage.write(layout.LEDGER, self._content() + line)

    def count(self, group: str) -> int:
        return sum(json.loads(line)["group"] == group for line in self._content().splitlines())

    def _content(self) -> bytes:
        return self._storage.read(layout.LEDGER) if self._storage.exists(layout.LEDGER) else b""
