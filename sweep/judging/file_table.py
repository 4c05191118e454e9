"""One file's scores as a table of columns, wherever they come from, and the numbers in a column.

Texts are categories and numbers are floats or integers, so that a million rows take little memory.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from trainables.base.errors import UserError

FAILED = {"", "-", "--", "error", "fail", "failed", "missing", "n/a", "na", "nan", "none", "null", "#n/a", "<na>"}
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*")
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")


@dataclass(frozen=True)
class FileTable:
    """`name` as the user typed it; `first_row` is the line of the first row, as an editor counts."""

    name: str
    frame: pd.DataFrame
    first_row: int = 1
    notes: tuple[str, ...] = ()

    def at(self, position: int) -> str:
        """ "scores.csv, row 12": where a row stands."""
        return f"{self.name}, row {self.first_row + position}"

    def without(self, rows: "pd.Series[bool]", note: str) -> "FileTable":
        """Without some rows. The others keep their index, and with it their places in the file."""
        return replace(self, frame=self.frame[~rows.to_numpy()], notes=(*self.notes, note)) if rows.any() else self


def is_numeric(column: pd.Series) -> bool:
    """Numbers, or texts most of which are meant as numbers."""
    if pd.api.types.is_bool_dtype(column):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    texts = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else pd.Index(column.unique())
    known = [text for text in texts[:200].astype(str) if text.strip().lower() not in FAILED]
    meant = sum(_number(text) is not None or bool(_DECIMAL_COMMA.fullmatch(text.strip())) for text in known)
    return bool(known) and meant > 0.5 * len(known)


def numbers(table: FileTable, column: str) -> pd.Series:
    """The column as floats, NaN where it says that there is no score.

    Raises `UserError` with the row of the first text that is neither a number nor such a word.
    """
    series = table.frame[column]
    if pd.api.types.is_numeric_dtype(series):
        return series.astype(float)
    texts = series.astype("category")
    values = [_number(text) for text in texts.cat.categories.astype(str)]
    for code, (text, value) in enumerate(zip(texts.cat.categories.astype(str), values, strict=True)):
        if value is None and text.strip().lower() not in FAILED:
            first = int(series.index[int(np.argmax(texts.cat.codes.to_numpy() == code))])
            why = (
                "has a decimal comma: write a decimal point"
                if _DECIMAL_COMMA.fullmatch(text.strip())
                else "is no number: correct it, or leave the cell empty where scoring failed"
            )
            raise UserError(f"{table.at(first)}: {column} {text[:40]!r} {why}")
    found = np.array([*(np.nan if value is None else value for value in values), np.nan])
    return pd.Series(found[texts.cat.codes.to_numpy()], index=series.index)


def with_decimal_points(table: FileTable) -> FileTable:
    """Columns of decimal commas as numbers, where commas divide no columns and the column has no decimal point."""
    found = {}
    for name in table.frame:
        column = table.frame[name]
        if not isinstance(column.dtype, pd.CategoricalDtype):
            continue
        commas = {text: text.replace(",", ".") for text in column.cat.categories if _DECIMAL_COMMA.fullmatch(text)}
        others = [text for text in column.cat.categories if text not in commas]
        if commas and all(text.strip().lower() in FAILED or _WHOLE.fullmatch(text) for text in others):
            found[name] = column.cat.rename_categories(commas)
    if not found:
        return table
    note = f"{table.name}: commas in numbers are read as decimal points"
    return replace(table, frame=table.frame.assign(**found), notes=(*table.notes, note))


def texts(column: pd.Series) -> pd.Series:
    """The column as categories of text, blank ones missing, without spaces around; whole numbers without their ".0"."""
    if isinstance(column.dtype, pd.CategoricalDtype) and isinstance(column.cat.categories.dtype, pd.StringDtype):
        plain = [_printable(text.strip()) for text in column.cat.categories]
        if plain == list(column.cat.categories) and "" not in plain:
            return column
        labels, codes = pd.Index(sorted({*plain} - {""}), dtype="str"), column.cat.codes.to_numpy()
        places = labels.get_indexer(pd.Index(plain, dtype="str"))  # -1 for blank ones
        return pd.Series(pd.Categorical.from_codes(np.where(codes < 0, -1, places[codes]), labels), index=column.index)
    codes, found = pd.factorize(column)
    if pd.api.types.is_float_dtype(found.dtype) and all(float(value).is_integer() for value in found):
        found = found.astype("int64")
    labels = pd.Index(found).astype(str).astype("str")
    return pd.Series(pd.Categorical.from_codes(codes, labels), index=column.index)


def from_columns(name: str, columns: Mapping[str, Sequence[object]], first_row: int = 1) -> FileTable:
    """A table of Python values; texts become categories."""
    frame = pd.DataFrame(columns)
    for column in frame:
        if not pd.api.types.is_numeric_dtype(frame[column]) or pd.api.types.is_bool_dtype(frame[column]):
            frame[column] = pd.Series(frame[column].astype("str"), dtype="category")
    return FileTable(name, frame, first_row)


def _printable(text: str) -> str:
    """With a terminal's commands and line breaks as escapes."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _number(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None
