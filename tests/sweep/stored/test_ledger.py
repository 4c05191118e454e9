"""Every read of test audio is counted, across restarts."""

import json
from pathlib import Path

from sweep.stored import layout
from sweep.stored.ledger import ReadLedger
from trainables.base.storage.storage import Storage


def test_reads_are_counted_per_group_and_survive_a_restart(tmp_path: Path) -> None:
    ledger = ReadLedger(Storage(tmp_path))
    assert ledger.count("tera") == 0
    ledger.record("tera", "score the finalists", plan="abc")
    ledger.record("wav2vec2", "score the finalists", plan="abc")
    assert (ledger.count("tera"), ledger.count("wav2vec2")) == (1, 1)
    again = ReadLedger(Storage(tmp_path))
    again.record("tera", "score the finalists", plan="abc")
    assert (again.count("tera"), again.count("wav2vec2")) == (2, 1)


def test_earlier_lines_are_never_rewritten(tmp_path: Path) -> None:
    ledger = ReadLedger(Storage(tmp_path))
    ledger.record("tera", "score the finalists", plan="abc")
    first = (tmp_path / layout.LEDGER).read_bytes()
    ledger.record("tera", "listen", plan="abc")
    content = (tmp_path / layout.LEDGER).read_bytes()
    assert content.startswith(first)
    assert [json.loads(line)["purpose"] for line in content.splitlines()] == ["score the finalists", "listen"]
