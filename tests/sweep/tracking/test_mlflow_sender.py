"""The sender delivers everything in order, also to a server that manages only a few records at a time."""

from collections.abc import Sequence
from pathlib import Path

from sweep.tracking.mlflow_sender import MlflowSender
from sweep.tracking.mlflow_view import MlflowView
from sweep.tracking.spool import Record, Spool


class _BusyView(MlflowView):
    """Times out on more than 60 records, as a server on a busy machine does."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "busy", "busy", None)
        self.applied: list[int] = []

    def apply(self, records: Sequence[Record]) -> None:
        if len(records) > 60:
            raise TimeoutError("no answer within 30 s")
        self.applied += [record["number"] for record in records]


def test_after_a_failure_fewer_records_are_sent_at_once(tmp_path: Path) -> None:
    spool, view, said = Spool(tmp_path / "spool"), _BusyView(), list[str]()
    for number in range(300):
        spool.append({"number": number})
    sender = MlflowSender(spool, view, said.append)
    assert sender.close(timeout=120) == ""
    assert view.applied == list(range(300))
    assert len(spool) == 0
