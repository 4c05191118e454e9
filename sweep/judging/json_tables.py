"""JSON lines, a JSON array, and the Python dictionaries that VERSA (until 2024) and SpeechScore print.

VERSA writes an object per utterance with a "key" and a field per metric; its word and character errors come as
counts, of which the rate is made here (wavlab-speech/versa, versa/scorer_shared.py). ClearerVoice's SpeechScore
returns {file: {metric: value}}, which its demo prints, with the means under "Mean_Score"
(modelscope/ClearerVoice-Studio, speechscore/demo.py).
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sweep.judging.file_table import FileTable, from_columns, is_numeric
from sweep.judging.plain_tables import as_frame
from trainables.base.errors import UserError

Record = Mapping[str, Any]

_MEAN = "Mean_Score"
_UTTERANCE = "utterance"
_COUNTS = ("delete", "insert", "replace", "equal")
_NUMPY = re.compile(r"(?:np\.)?(?:float|int)\d+\(([^()]*)\)|(?:np\.)?array\(([^()\[\]]*?)(?:, dtype=\w+)?\)")
_NOT_FINITE = re.compile(r"(?<=[:\s\[])([+-]?)(inf|nan)(?=[,}\]\s])")


def read_json(name: str, content: bytes) -> FileTable:
    """Raises `UserError` naming the line that is neither JSON nor a Python dictionary."""
    table = _quickly(name, content) or _from_records(name, content)
    return FileTable(name, _with_error_rates(table.frame), table.first_row, table.notes)


def _quickly(name: str, content: bytes) -> FileTable | None:
    """By pyarrow, which reads JSON lines of one shape, without NaN."""
    from pyarrow import json as arrow_json

    if not content.lstrip().startswith(b"{"):
        return None
    try:
        table = arrow_json.read_json(pa.BufferReader(content))
    except pa.ArrowException:
        return None
    nested = all(pa.types.is_struct(field.type) for field in table.schema)
    if nested or table.num_rows < 2 or table.num_rows < content.count(b"\n"):
        return None
    return FileTable(name, as_frame(name, table))


def _from_records(name: str, content: bytes) -> FileTable:
    columns: dict[str, list[Any]] = {}
    count = 0
    for count, record in enumerate(_records(name, content.decode("utf-8-sig")), start=1):
        for field, value in _flat(record):
            columns.setdefault(field, [None] * (count - 1)).append(value)
        for values in columns.values():
            values.extend([None] * (count - len(values)))
    if not columns:
        raise UserError(f"{name}: no scores in it")
    return from_columns(name, columns)


def _records(name: str, text: str) -> Iterator[Record]:
    if text.lstrip().startswith("["):
        try:
            yield from (record for record in json.loads(text) if isinstance(record, dict))
        except ValueError as error:
            raise UserError(f"{name}: not whole JSON ({error}): write it again") from error
        return
    by_file = _by_file(text)
    if by_file and all(key.isdecimal() for values in by_file.values() for key in values):  # pandas: columns of rows
        rows = dict.fromkeys(key for values in by_file.values() for key in values)
        yield from ({column: values.get(row) for column, values in by_file.items()} for row in rows)
        return
    if by_file:
        yield from ({_UTTERANCE: file, **scores} for file, scores in by_file.items() if file != _MEAN)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        record = _parsed(line)
        if not isinstance(record, dict):
            raise UserError(f"{name}, row {number}: {line[:40]!r} is no JSON object: one on each line is needed")
        yield record


def _by_file(text: str) -> dict[str, Record]:
    """{file: {metric: value}}, the last such dictionary of a log; or a data frame's {column: {row: value}}."""
    starts = [found.start() for found in re.finditer(r"(?m)^\{", text)]
    if len(starts) > 20:  # lines
        return {}
    for start in reversed(starts):
        found = _parsed(text[start:])
        if isinstance(found, dict) and len(found) > 1 and all(isinstance(value, dict) for value in found.values()):
            return found
    return {}


def _parsed(text: str) -> Any:
    """A JSON or Python value; None where it is neither."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    plain = _NUMPY.sub(lambda found: found[1] or found[2], text)
    plain = _NOT_FINITE.sub(lambda found: "None" if found[2] == "nan" else f"{found[1]}1e999", plain)
    try:
        return ast.literal_eval(plain.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _flat(record: Record, above: str = "") -> Iterator[tuple[str, Any]]:
    """{"DNSMOS": {"SIG": 3}} gives DNSMOS.SIG; lists are left out."""
    for field, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{field}.")
        elif not isinstance(value, list | tuple):
            yield f"{above}{field}", value


def _with_error_rates(frame: pd.DataFrame) -> pd.DataFrame:
    """VERSA counts deletions, insertions, substitutions and matches; the rate is made of them."""
    for column in [name for name in frame if str(name).endswith("_equal")]:
        stem = str(column).removesuffix("_equal")
        parts = [f"{stem}_{count}" for count in _COUNTS]
        if stem not in frame and all(part in frame and is_numeric(frame[part]) for part in parts):
            deleted, inserted, replaced, equal = (frame[part].astype(float) for part in parts)
            spoken = (deleted + replaced + equal).replace(0, np.nan)
            frame = frame.drop(columns=parts).assign(**{stem: (deleted + inserted + replaced) / spoken})
    return frame
