"""MANIFEST.csv of a folder of recordings: which files count, in which split, of whom.

Columns: path (relative to the folder), split (train, valid, test) and optionally speaker_or_noise_type, which
otherwise is the name of the file's folder. Other columns are left alone.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from trainables.audio.corpus.listing import SPLITS
from trainables.base.errors import UserError

MANIFEST = "MANIFEST.csv"


@dataclass(frozen=True)
class ManifestRow:
    """What a manifest says about one file; `owner` is empty if it does not."""

    split: str
    owner: str  # "" where the folder's name decides


def read_manifest(source: Path) -> dict[Path, ManifestRow] | None:
    """Rows by absolute path, None where there is no manifest.

    Raises:
        UserError: it is no UTF-8 or no CSV, a column is missing, there is no row, a split is unknown, or a row's
            file does not exist, lies elsewhere or is listed twice.
    """
    path = source / MANIFEST
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = _rows(source, path, csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not written in UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable or remove it") from error
    if not rows:
        raise UserError(f"{path}: has a header and no row: list the files that count, or remove it")
    return rows


def _rows(source: Path, path: Path, reader: csv.DictReader) -> dict[Path, ManifestRow]:
    rows: dict[Path, ManifestRow] = {}
    try:
        _require_columns(path, reader)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            audio, parsed = _parse(source, where, row)
            if audio in rows:
                raise UserError(f"{where}: {row['path']} is listed twice: remove one of the rows")
            rows[audio] = parsed
    except csv.Error as error:  # a quotation mark without its partner makes a field of all that follows
        raise UserError(
            f"{path}: {error} after line {reader.line_num}; is a quotation mark missing? correct the file"
        ) from error
    return rows


def _require_columns(path: Path, reader: csv.DictReader) -> None:
    header = reader.fieldnames or ()
    reader.fieldnames = [name.strip() for name in header]
    missing = {"path", "split"} - set(reader.fieldnames)
    if missing:
        raise UserError(
            f"{path}: no column {' and no column '.join(sorted(missing))} in the header {','.join(header)[:80]!r}; "
            "path and split are needed, separated by commas"
        )


def _parse(source: Path, where: str, row: dict[str, str]) -> tuple[Path, ManifestRow]:
    name, split = (row["path"] or "").strip(), (row["split"] or "").strip()
    audio = source / name
    if not os.path.isfile(audio):  # unlike Path's, it says no to a name too long for any file
        raise UserError(f"{where}: no file {name[:200] or '(empty path)'}; add the file or remove the row")
    if not audio.is_relative_to(source):
        raise UserError(f"{where}: {name} lies outside {source}; write paths relative to that folder")
    if split not in SPLITS:
        raise UserError(f"{where}: split {split!r} of {name}; allowed are {', '.join(SPLITS)}")
    return audio, ManifestRow(split=split, owner=(row.get("speaker_or_noise_type") or "").strip())
