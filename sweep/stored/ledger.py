"""Records every read of test audio, so that "test was scored once" can be checked afterwards.

One JSON line per read, appended by the driver before the read happens: a crash may count a read too many,
never one too few.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sweep.stored import layout
from trainables.base.storage.storage import Storage


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One read of one group's test audio."""

    group: str
    purpose: str  # "score the finalists"
    plan: str  # hash of the frozen plan
    time: str  # UTC, ISO 8601


class ReadLedger:
    """The append-only ledger of one sweep; only its driver writes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def record(self, group: str, purpose: str, plan: str) -> int:
        """Record a read that is about to happen; returns the number of reads of `group`, this one included."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = LedgerEntry(group=group, purpose=purpose, plan=plan, time=now)
        self._storage.write(layout.LEDGER, self._content() + json.dumps(asdict(entry)).encode() + b"\n")
        return self.count(group)

    def reads(self) -> list[LedgerEntry]:
        return [LedgerEntry(**json.loads(line)) for line in self._content().splitlines()]

    def count(self, group: str) -> int:
        return sum(read.group == group for read in self.reads())

    def _content(self) -> bytes:
        return self._storage.read(layout.LEDGER) if self._storage.exists(layout.LEDGER) else b""
