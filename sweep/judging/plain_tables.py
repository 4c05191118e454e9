"""CSV, TSV and their like, and Parquet, read by pyarrow: a million rows in about a second."""

import csv
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from sweep.judging.file_table import FileTable, with_decimal_points
from trainables.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "vertical bar"}
_TEXT = pa.dictionary(pa.int32(), pa.string())
_SAMPLE_LINES = 50
_MOST_COLUMNS = 2000


def read_parquet(name: str, content: bytes) -> FileTable:
    """Every column of numbers or texts. Raises `UserError` for a damaged file."""
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{name}: not a whole Parquet file ({str(error).splitlines()[0][:80]}): write it again"
        ) from error
    return FileTable(name, as_frame(name, table))


def as_frame(name: str, table: pa.Table) -> pd.DataFrame:
    """Texts as categories, structs as columns of their own, lists left out."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    table = table.rename_columns([column.strip() for column in table.column_names])
    _refuse_twins(name, table.column_names)
    for position, field in reversed([*enumerate(table.schema)]):
        kind = field.type
        if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
            continue
        if pa.types.is_nested(kind) or pa.types.is_binary(kind):
            table = table.remove_column(position)
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
            text = table.column(position).cast(pa.string())
            table = table.set_column(position, field.name, text.dictionary_encode())
        elif pa.types.is_null(kind):
            table = table.set_column(position, field.name, pa.nulls(table.num_rows, pa.float64()))
    frame = table.to_pandas(self_destruct=True, split_blocks=True)
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def read_delimited(name: str, content: bytes) -> FileTable:
    """A table with a header line. Raises `UserError` naming the row that does not fit it."""
    first_row = 2
    if said := re.match(rb"sep=(.)\r?\n", content):  # Excel's own line above the header
        content, first_row = content[said.end() :], 3
    delimiter = _delimiter(name, content)
    header = next(_rows(content, delimiter))
    if len(header) > _MOST_COLUMNS:
        raise UserError(
            f"{name}: {len(header):,} columns; at most {_MOST_COLUMNS:,} can be read: one row per score is better"
        )
    if any(re.fullmatch(r"[+-]?\d*\.\d+", field.strip()) for field in header):
        raise UserError(f"{name}, row 1: {header[:3]} is no header: write the columns' names above it")
    _refuse_twins(name, header)
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in content)
    try:
        table = _parsed(
            content, parse, arrow_csv.ConvertOptions(auto_dict_encode=True, auto_dict_max_cardinality=10**7)
        )
    except pa.ArrowInvalid:  # a row of another length, or a column whose later values are of another kind
        _refuse_other_lengths(name, content, delimiter, first_row)
        table = _parsed(content, parse, arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, _TEXT)))
    if not table.num_rows:
        raise UserError(f"{name}: a header without rows; it holds no scores")
    found = FileTable(name, _without_index(as_frame(name, table)), first_row)
    return _without_blank_rows(found if delimiter == "," else with_decimal_points(found))


def _without_blank_rows(table: FileTable) -> FileTable:
    """Without rows of delimiters only, as Excel writes below a table."""
    blank = np.ones(len(table.frame), dtype=bool)
    for column in table.frame:
        series = table.frame[column]
        blank &= series.isna().to_numpy() | (series.eq("").to_numpy() if series.dtype == "category" else False)
        if not blank.any():
            return table
    return replace(table, frame=table.frame[~blank])


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the column of row numbers that pandas writes unless it is asked not to."""
    first = frame.columns[0]
    if first in ("", "Unnamed: 0") and len(frame.columns) > 1 and frame[first].equals(pd.Series(range(len(frame)))):
        return frame.drop(columns=first)
    return frame


def _parsed(content: bytes, parse: arrow_csv.ParseOptions, convert: arrow_csv.ConvertOptions) -> pa.Table:
    return arrow_csv.read_csv(
        pa.BufferReader(content), parse_options=parse, convert_options=convert
    ).unify_dictionaries()


def _delimiter(name: str, content: bytes) -> str:
    """The one that splits the first lines evenly, into the most fields."""
    head = content[: 1 << 20]
    found: dict[str, list[int]] = {}
    for delimiter in _DELIMITERS:
        rows = [len(row) for row, _ in zip(_rows(head, delimiter), range(_SAMPLE_LINES), strict=False)]
        rows = rows[:-1] if len(rows) > 1 and len(head) < len(content) and len(rows) < _SAMPLE_LINES else rows
        if rows and rows[0] > 1:
            found[delimiter] = rows
    even = [delimiter for delimiter, rows in found.items() if len(set(rows)) == 1]
    if not found:
        raise UserError(
            f"{name}: no table: its first line has no comma, tab or semicolon; give CSV, TSV, JSON lines or Parquet"
        )
    return max(even or found, key=lambda delimiter: found[delimiter][0])


def _rows(content: bytes, delimiter: str) -> "Iterator[list[str]]":
    """Rows as lists of fields, empty lines left out."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="", errors="replace")
    try:
        yield from (row for row in csv.reader(text, delimiter=delimiter) if row)
    except csv.Error:
        return


def _refuse_other_lengths(name: str, content: bytes, delimiter: str, first_row: int) -> None:
    rows = _rows(content, delimiter)
    width = len(next(rows))
    for number, row in enumerate(rows, start=first_row):
        if len(row) != width:
            raise UserError(
                f"{name}, row {number}: {len(row)} fields where the header has {width}, split at the "
                f"{_DELIMITERS[delimiter]}: use one delimiter throughout, and decimal points"
            )


def _refuse_twins(name: str, header: list[str]) -> None:
    twins = sorted({field for field in header if header.count(field) > 1}) if len(set(header)) < len(header) else []
    if twins:
        raise UserError(f"{name}: several columns are named {twins[0]!r}: rename all but one")
