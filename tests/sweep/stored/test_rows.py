"""Result rows in a sweep's storage."""

from pathlib import Path

import pytest

from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.rows import ROW_SCHEMA, collect_rows, has_rows, rows_file, to_parquet
from trainables.base.storage.storage import Storage

JOB = "tera/final/layer2/seed-1001"


class Unread(Storage):
    """A storage from which nothing is read."""

    def read(self, path: str) -> bytes:
        raise AssertionError(f"{path} was read")


def test_whether_a_job_is_scored_is_asked_without_reading_its_rows(tmp_path: Path) -> None:
    row = dict.fromkeys(ROW_SCHEMA.names) | {"job": JOB, "metric": "si_sdr", "value": 1.5}
    checkpoints = StoredCheckpoints(Unread(tmp_path))
    assert not has_rows(checkpoints, JOB, "test")
    checkpoints.write_result(JOB, rows_file("test"), to_parquet([row]))
    assert has_rows(checkpoints, JOB, "test")
    assert not has_rows(checkpoints, JOB, "valid")
    assert collect_rows(StoredCheckpoints(Storage(tmp_path)), [JOB], "test") == [row]
    with pytest.raises(AssertionError, match="was read"):
        collect_rows(checkpoints, [JOB], "test")
