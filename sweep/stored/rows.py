"""Result rows: one per job, utterance and metric, as Parquet files in a sweep's storage.

Each job's rows are kept with the job; `layout.rows_path` has those of all finalists of a split.
"""

import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweep.storage.checkpoints import StoredCheckpoints
from sweep.stored.layout import rows_file, rows_path
from trainables.base.storage.storage import Storage

Rows = list[dict[str, Any]]

ROW_SCHEMA = pa.schema(
    [
        ("group", pa.string()),
        ("candidate", pa.string()),
        ("phase", pa.string()),
        ("seed", pa.int64()),
        ("job", pa.string()),
        ("split", pa.string()),
        ("utterance", pa.string()),
        ("speaker", pa.string()),
        ("noise_type", pa.string()),
        ("snr_db", pa.float64()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("status", pa.string()),
        ("gain", pa.float64()),
        ("polarity", pa.float64()),
        ("lag", pa.int64()),
    ]
)
_WEIGHT = pa.field("weight", pa.float64())  # only where a metric has one


def has_rows(checkpoints: StoredCheckpoints, job: str, split: str) -> bool:
    """Whether the job is scored on the split; reads no file."""
    return checkpoints.has_result(job, rows_file(split))


def collect_rows(checkpoints: StoredCheckpoints, jobs: Iterable[str], split: str) -> Rows:
    """The rows of these jobs (and of the noisy input, named "noisy"), in the order given."""
    contents = (checkpoints.read_result(job, rows_file(split)) for job in jobs)
    return [row for content in contents for row in pq.read_table(io.BytesIO(content)).to_pylist()]


def store_rows(storage: Storage, rows: Rows, split: str) -> None:
    storage.write(rows_path(split), to_parquet(rows))


def to_parquet(rows: Rows) -> bytes:
    """Rows as Parquet bytes; a missing value is null, never NaN."""
    buffer = io.BytesIO()
    schema = ROW_SCHEMA.append(_WEIGHT) if any(row.get("weight") is not None for row in rows) else ROW_SCHEMA
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()
